"""Datasets as torchvision lays them out on disk, read by torchvision."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from advtool.errors import AdvtoolError


@dataclass(frozen=True)
class TorchvisionFiles:
    """Files of one of torchvision's datasets.

    Attributes
    ----------
    dataset : class in `torchvision.datasets`
    place : below the data root, ``{split}`` filled in
    by_split : whether the class is asked for ``split=``; else for ``train=``
    labels : attribute that holds the labels
    packed : archive in the data root that it is downloaded as, if that has to be unpacked
    """

    dataset: str
    place: str
    by_split: bool = False
    labels: str = "targets"
    packed: str | None = None

    @property
    def home(self) -> None:
        """They can be downloaded."""

    def path(self, root: Path, split: str) -> Path:
        return root / self.place.format(split=split)

    def load(
        self, name: str, root: Path, split: str, download: bool
    ) -> tuple[np.ndarray, np.ndarray, tuple[str, ...] | None]:
        """(pixels N×…, labels N, class names if torchvision knows them)."""
        import torchvision.datasets

        factory = getattr(torchvision.datasets, self.dataset)
        part = {"split": split} if self.by_split else {"train": split == "train"}
        path = self.path(root, split)
        try:
            dataset = factory(root, **part, download=download)
        except Exception as error:  # torchvision raises whatever its parsers do on a damaged file
            reason = (str(error) or type(error).__name__).splitlines()[0]
            if "download=True" in reason:
                reason = f"files are missing or damaged; `advtool data {name} --info --download` fetches them"
            if path.exists() or download:
                raise AdvtoolError(f"{name}: cannot read {path}: {reason}") from None
            raise AdvtoolError(f"{name} is not on disk: expected {path} ({self.way_out(name, root)})") from None
        classes = getattr(dataset, "classes", None)
        return (
            np.asarray(dataset.data),
            np.asarray(getattr(dataset, self.labels)),
            None if classes is None else tuple(classes),
        )

    def way_out(self, name: str, root: Path | None = None) -> str:
        """What to do where the files are not there."""
        if root and self.packed and (root / self.packed).exists():
            return f"{root / self.packed} is still packed; `advtool data {name} --info --download` unpacks it"
        return f"set the data root or ADVTOOL_DATA; `advtool data {name} --info --download` fetches it"
