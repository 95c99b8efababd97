"""NumPy archives, ``.npz``: an array of images and one of labels, for each split or for all."""

import math
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from advtool.data import splits
from advtool.data.array_reader import ArrayReader
from advtool.errors import AdvtoolError, UsageError
from advtool.io.head import Head
from advtool.io.samples import MAX_LABEL
from advtool.io.shape import shape_text

_IMAGES = ("images", "x", "X", "data", "pixels")
_LABELS = ("labels", "y", "Y", "targets", "label")
_ZIP = b"PK\x03\x04"


@dataclass(frozen=True)
class Archive:
    """One split of an archive."""

    name: str
    path: Path
    members: tuple[str, str]
    split: str | None = None
    splits: tuple[str, ...] = ()
    layout: str | None = None
    repeatable: bool = True

    def open(self) -> ArrayReader:
        """Read the arrays; AdvtoolError naming the array that is no array of images or labels."""
        try:
            with np.load(self.path, allow_pickle=False) as archive:
                pixels, labels = (archive[member] for member in self.members)
                classes = archive["classes"] if "classes" in archive.files else None
        except (OSError, ValueError, KeyError, EOFError, MemoryError, zipfile.BadZipFile, zlib.error) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise AdvtoolError(f"{self.name}: cannot read {' and '.join(self.members)}: {reason}") from None
        pixels = _pixels(pixels, f"{self.name}: {self.members[0]}")
        labels = _labels(labels, len(pixels), f"{self.name}: {self.members[1]}")
        num_classes = int(labels.max()) + 1 if classes is None else len(classes)
        if labels.max() >= num_classes:
            raise AdvtoolError(f"{self.name}: label {labels.max()}, but classes names {num_classes}")
        names = None if classes is None else tuple(map(str, classes))
        head = Head(names, num_classes, pixels.shape[1:], self.split, self.name)
        return ArrayReader(pixels, labels, head, self.name)


def is_archive(path: Path) -> bool:
    """Whether a file is a zip, read from its first bytes; a pipe is not looked into."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(4) == _ZIP


def resolve(name: str, path: Path, split: str | None, default_split: str) -> Archive:
    """Find the arrays of images and labels: ``x_train`` or ``train_images`` and the like, or ``images`` and ``labels``.

    Raises
    ------
    UsageError
        if there are none, or not for this split
    """
    try:
        with zipfile.ZipFile(path) as file:
            names = [entry.removesuffix(".npy") for entry in file.namelist() if entry.endswith(".npy")]
    except (OSError, zipfile.BadZipFile):
        raise AdvtoolError(f"{name}: damaged zip or .npz file") from None
    if found := _parts(names, name):
        chosen, split, parts = splits.choose(found, split, default_split, name, any_else=True)
        return Archive(name, path, chosen, split, parts, "arrays by the split in their names")
    if pair := _pair(names, None):
        return Archive(name, path, pair)
    has = f"it has {', '.join(names[:8])}" if names else "it has no array"
    raise UsageError(f"a zip without arrays of images and labels (such as x and y); {has}", "data", name)


def _parts(names: list[str], where: str) -> dict[str, tuple[str, str]]:
    """The arrays of each split; AdvtoolError if there are two pairs of one."""
    found: dict[str, tuple[str, str]] = {}
    for word, part in splits.WORDS.items():
        if pair := _pair(names, word):
            if part in found:
                raise AdvtoolError(f"{where}: {found[part][0]} and {pair[0]} are both called {part}; rename one")
            found[part] = pair
    return found


def _pair(names: list[str], split: str | None) -> tuple[str, str] | None:
    def first(wanted: tuple[str, ...]) -> str | None:
        forms = [form for word in wanted for form in ((f"{word}_{split}", f"{split}_{word}") if split else (word,))]
        return next((form for form in forms if form in names), None)

    images, labels = first(_IMAGES), first(_LABELS)
    return (images, labels) if images and labels else None


def _pixels(array: np.ndarray, where: str) -> np.ndarray:
    """uint8 or float32 in [0, 1], N×C×H×W with C 1 or 3."""
    if array.ndim == 3:
        array = array[:, None]
    if array.ndim == 4 and array.shape[1] not in (1, 3) and array.shape[3] in (1, 3):
        array = array.transpose(0, 3, 1, 2)
    if array.ndim != 4 or array.shape[1] not in (1, 3) or not math.prod(array.shape):
        raise AdvtoolError(f"{where}: must be N×H×W, N×H×W×C or N×C×H×W with C 1 or 3, not {shape_text(array.shape)}")
    if array.dtype.kind in "iu" and array.min() >= 0 and array.max() <= 255:
        return np.ascontiguousarray(array, np.uint8)
    if array.dtype.kind == "f" and array.min() >= 0 and array.max() <= 1:
        return np.ascontiguousarray(array, np.float32)
    if array.dtype.kind in "iuf":
        raise AdvtoolError(
            f"{where}: must be integers in 0..255 or floats in [0, 1], not {array.dtype} in"
            f" {array.min():g}..{array.max():g}"
        )
    raise AdvtoolError(f"{where}: must be integers or floats, not {array.dtype}")


def _labels(array: np.ndarray, n: int, where: str) -> np.ndarray:
    if array.shape == (n, 1):
        array = array[:, 0]
    if array.shape != (n,):
        raise AdvtoolError(f"{where}: must be {n} labels, one per image, not {shape_text(array.shape) or 'one number'}")
    if array.dtype.kind not in "iu" or not 0 <= array.min() <= array.max() <= MAX_LABEL:
        raise AdvtoolError(f"{where}: labels must be integers from 0 to {MAX_LABEL}")
    return array.astype(np.int64)
