"""CIFAR-10.1 (Recht et al. 2018), version 6: 2,000 new test images for CIFAR-10, from its two .npy files."""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from advtool import bounds
from advtool.errors import AdvtoolError
from advtool.io import regular

IMAGES, LABELS = "cifar10.1_v6_data.npy", "cifar10.1_v6_labels.npy"
_FOLDERS = ("", "CIFAR-10.1/datasets", "CIFAR-10.1", "cifar10.1", "datasets")


@dataclass(frozen=True)
class Cifar101Files:
    """The two files, in the data root itself or in a checkout of the authors' repository in it."""

    home: str

    def path(self, root: Path, split: str) -> Path:
        return self._folder(root) / IMAGES

    def load(self, name: str, root: Path, split: str, download: bool) -> tuple[np.ndarray, np.ndarray, None]:
        """(pixels uint8 N×3×32×32, labels N, None)."""
        place = self._folder(root)
        try:
            pixels, labels = (_array(place / file) for file in (IMAGES, LABELS))
        except FileNotFoundError:
            raise AdvtoolError(
                f"{name} is not on disk: expected {place / IMAGES} and {LABELS} beside it"
                f" (set the data root or ADVTOOL_DATA; the files are in {self.home})"
            ) from None
        except AdvtoolError as error:
            raise AdvtoolError(f"{name}: cannot read {error}") from None
        except Exception as error:  # of NumPy, and of Python's parser over a header
            reason = (str(error) or type(error).__name__).splitlines()[0]
            raise AdvtoolError(f"{name}: cannot read {place}: {reason}") from None
        if pixels.dtype != np.uint8 or pixels.shape[1:] != (32, 32, 3) or not len(pixels):
            raise AdvtoolError(f"{name}: {place / IMAGES} is no uint8 array N×32×32×3")
        is_integer = labels.shape == pixels.shape[:1] and labels.dtype.kind in "iu"
        if not (is_integer and 0 <= labels.min() <= labels.max() <= 9):
            raise AdvtoolError(f"{name}: {place / LABELS} is no array of {len(pixels)} labels from 0 to 9")
        return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)), labels, None

    def _folder(self, root: Path) -> Path:
        return next((root / name for name in _FOLDERS if (root / name / IMAGES).exists()), root)


def _array(path: Path) -> np.ndarray:
    if not path.exists():
        raise FileNotFoundError
    found = np.load(io.BytesIO(regular.read(path, bounds.EXPANDED_BYTES)), allow_pickle=False)
    if not isinstance(found, np.ndarray):
        raise ValueError("no array")
    return found


CIFAR10_1 = Cifar101Files("https://github.com/modestyachts/CIFAR-10.1")
