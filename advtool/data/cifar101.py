"""CIFAR-10.1 (Recht et al. 2018), version 6: 2,000 new test images for CIFAR-10, from its two .npy files."""

from pathlib import Path

import numpy as np

from advtool.errors import AdvtoolError

IMAGES, LABELS = "cifar10.1_v6_data.npy", "cifar10.1_v6_labels.npy"
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
HOME = "https://github.com/modestyachts/CIFAR-10.1"
_FOLDERS = ("", "CIFAR-10.1/datasets", "CIFAR-10.1", "cifar10.1", "datasets")


def folder(root: Path) -> Path:
    """Where the two files lie: the data root itself, or a checkout of the authors' repository in it."""
    return next((root / name for name in _FOLDERS if (root / name / IMAGES).exists()), root)


def load(root: Path) -> tuple[np.ndarray, np.ndarray]:
    """(pixels uint8 N×3×32×32, labels N).

    Raises
    ------
    AdvtoolError
        if the files are missing, damaged, or hold something else
    """
    place = folder(root)
    try:
        pixels, labels = (np.load(place / name, allow_pickle=False) for name in (IMAGES, LABELS))
    except FileNotFoundError:
        raise AdvtoolError(
            f"cifar10.1 is not on disk: expected {place / IMAGES} and {LABELS} beside it"
            f" (set --data-root or ADVTOOL_DATA; the files are in {HOME})"
        ) from None
    except (OSError, ValueError, EOFError) as error:
        raise AdvtoolError(f"cifar10.1: cannot read {place}: {str(error).splitlines()[0]}") from None
    if pixels.dtype != np.uint8 or pixels.shape[1:] != (32, 32, 3) or not len(pixels):
        raise AdvtoolError(f"cifar10.1: {place / IMAGES} is no uint8 array N×32×32×3")
    if labels.shape != pixels.shape[:1] or labels.dtype.kind not in "iu" or not 0 <= labels.min() <= labels.max() <= 9:
        raise AdvtoolError(f"cifar10.1: {place / LABELS} is no array of {len(pixels)} labels from 0 to 9")
    return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)), labels
