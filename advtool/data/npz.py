"""NumPy archives, ``.npz``: an array of images and one of labels, for each split or for all."""

import json
import math
import shlex
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from advtool import bounds
from advtool.data import splits
from advtool.data.array_reader import ArrayReader
from advtool.errors import AdvtoolError, UsageError
from advtool.io.head import Head
from advtool.io.samples import MAX_LABEL
from advtool.io.shape import shape_text
from advtool.io.unit import in_unit

_IMAGES = ("images", "x", "X", "data", "pixels", "x_adv")
_LABELS = ("labels", "y", "Y", "targets", "label")
_CLASSES = "classes"
_NPY = b"\x93NUMPY"
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
        pixels, labels, classes = self._arrays()
        pixels = _pixels(pixels, f"{self.name}: {self.members[0]}")
        labels = _labels(labels, len(pixels), f"{self.name}: {self.members[1]}")
        names = None if classes is None else _names(classes, f"{self.name}: {_CLASSES}")
        num_classes = int(labels.max()) + 1 if names is None else len(names)
        if labels.max() >= num_classes:
            raise AdvtoolError(f"{self.name}: label {labels.max()}, but classes names {num_classes}")
        head = Head(names, num_classes, pixels.shape[1:], self.split, self.name)
        return ArrayReader(pixels, labels, head, self.name)

    def _arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """(images, labels, names of the classes if there are any)."""
        found: list[np.ndarray] = []
        member = self.members[0]
        try:
            with np.load(self.path, allow_pickle=False) as archive:
                for member in (*self.members, *([_CLASSES] if _CLASSES in archive.files else [])):
                    array = archive[member]
                    if not isinstance(array, np.ndarray):
                        raise ValueError("no .npy array")
                    found.append(array)
        except Exception as error:  # of NumPy, zipfile and zlib, and of Python's parser over a header
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            if "allow_pickle" in reason:
                reason = "an array of Python objects; make it one of numbers, or of text (dtype=str)"
            raise AdvtoolError(f"{self.name}: cannot read {member}: {reason}") from None
        return found[0], found[1], found[2] if len(found) > 2 else None


def is_archive(path: Path) -> bool:
    """Whether a file is a zip, read from its first bytes; a pipe is not looked into."""
    return _begins(path, _ZIP)


def is_array(path: Path) -> bool:
    """Whether a file is a single array, .npy; a pipe is not looked into."""
    return _begins(path, _NPY)


def _begins(path: Path, start: bytes) -> bool:
    """Whether it is a file that begins so; what cannot be read is left to who reads it as a stream."""
    if not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            return file.read(len(start)) == start
    except OSError:
        return False


def refusal_of_array(name: str) -> UsageError:
    """The error for an array by itself, which says how an archive is made of it."""
    place, made = json.dumps(name), json.dumps(str(Path(name).with_suffix(".npz")))
    code = f'import numpy as np; np.savez({made}, x=np.load({place}), y=np.load("LABELS.npy"))'
    message = f"a single array (.npy), without labels; put both into an .npz: python -c {shlex.quote(code)}"
    return UsageError(message, parameter="data", value=name)


def resolve(name: str, path: Path, split: str | None, default_split: str) -> Archive:
    """Find the arrays of images and labels: ``x_train`` or ``train_images`` and the like, or ``images`` and ``labels``.

    Raises
    ------
    UsageError
        if there are none, or not for this split
    """
    try:
        with zipfile.ZipFile(path) as file:
            entries = file.infolist()
    except Exception:  # what zipfile raises for what is none
        raise AdvtoolError(f"{name}: damaged zip or .npz file") from None
    _check_size(entries, path, name)
    names = [entry.filename.removesuffix(".npy") for entry in entries if entry.filename.endswith(".npy")]
    if found := _parts(names, name):
        chosen, split, parts = splits.choose(found, split, default_split, name, any_else=True)
        return Archive(name, path, chosen, split, parts, "arrays by the split in their names")
    if pair := _pair(names, None):
        return Archive(name, path, pair)
    has = f"it has {', '.join(names[:8])}" if names else "it has no array"
    raise UsageError(f"a zip without arrays of images and labels (such as x and y); {has}", "data", name)


def _check_size(entries: list[zipfile.ZipInfo], path: Path, name: str) -> None:
    """Refuse an archive that would fill the memory and is next to nothing on disk."""
    there, size = path.stat().st_blocks * 512, sum(entry.file_size for entry in entries)
    if size > bounds.EXPANDED_BYTES and size > bounds.EXPANSION * there:
        raise AdvtoolError(
            f"{name}: {bounds.mib(size)} of arrays out of {bounds.mib(there)} on disk; if it is not meant to fill the"
            " memory, save it with `numpy.savez`, which does not compress"
        )


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
    if array.dtype.kind == "f":
        try:
            return np.ascontiguousarray(in_unit(array), np.float32)
        except AdvtoolError as error:
            raise AdvtoolError(f"{where}: {array.dtype} {error}") from None
    if array.dtype.kind in "iu":
        raise AdvtoolError(f"{where}: {array.dtype} pixels must lie in 0..255, found {array.min()} to {array.max()}")
    raise AdvtoolError(f"{where}: must be integers or floats, not {array.dtype}")


def _names(array: np.ndarray, where: str) -> tuple[str, ...]:
    """Names of the classes: text, bytes in UTF-8, or whole numbers."""
    if array.ndim != 1 or array.dtype.kind not in "USiu" or not 0 < len(array) <= bounds.CLASSES:
        found = f"{shape_text(array.shape) or 'one value'} of {array.dtype}"
        raise AdvtoolError(f"{where}: must be a list of names, one per class, not {found}")
    return tuple(name.decode(errors="replace") if isinstance(name, bytes) else str(name) for name in array.tolist())


def _labels(array: np.ndarray, n: int, where: str) -> np.ndarray:
    if array.shape == (n, 1):
        array = array[:, 0]
    if array.shape != (n,):
        raise AdvtoolError(f"{where}: must be {n} labels, one per image, not {shape_text(array.shape) or 'one number'}")
    if array.dtype.kind not in "iu" or not 0 <= array.min() <= array.max() <= MAX_LABEL:
        raise AdvtoolError(f"{where}: labels must be integers from 0 to {MAX_LABEL}")
    return array.astype(np.int64)
