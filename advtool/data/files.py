"""How a named dataset lies on disk."""

from pathlib import Path
from typing import Protocol

import numpy as np


class Files(Protocol):
    """Files of a dataset under a data root.

    Attributes
    ----------
    home : where they are to be had; None if they can be downloaded
    """

    @property
    def home(self) -> str | None: ...

    def path(self, root: Path, split: str) -> Path:
        """Where they must lie."""

    def load(
        self, name: str, root: Path, split: str, download: bool
    ) -> tuple[np.ndarray, np.ndarray, tuple[str, ...] | None]:
        """(pixels N×…, labels N, class names if the files say them).

        Raises
        ------
        AdvtoolError
            naming the path, if files are missing or damaged
        """
