"""Files that say the labels of the images in one folder: ``FILENAME LABEL`` a line, or as ImageNet's own."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from advtool import bounds
from advtool.data import imagenet_labels
from advtool.errors import AdvtoolError
from advtool.io import formats, regular
from advtool.io.hidden import is_hidden
from advtool.io.samples import MAX_LABEL
from advtool.values import is_label

_EXTENSIONS = ("txt", "csv", "tsv")
_LABEL_COLUMNS = (
    "label",
    "labels",
    "class",
    "class_name",
    "classname",
    "category",
    "synset",
    "wnid",
    "breed",
    "target",
)
_KAGGLE_IMAGENET = ["ImageId", "PredictionString"]
Label = TypeVar("Label")


@dataclass(frozen=True)
class LabelFile:
    """What a file says of the images in a folder.

    Attributes
    ----------
    labels : image, as the file calls it → its label
    classes : names of the classes
    folder : where the images lie; the file may call them by their path from any folder above
    is_shared : whether the file also speaks of images elsewhere
    """

    path: Path
    labels: Mapping[str, int]
    classes: tuple[str, ...]
    folder: Path
    is_shared: bool

    def label(self, image: Path) -> int:
        """The label of an image; AdvtoolError if the file has none."""
        found = _find(image, self.labels)
        if found is None:
            raise AdvtoolError(f"{image}: has no label in {self.path}")
        return found


def find(images: Sequence[Path], folder: Path, root: Path, classes: tuple[str, ...] | None) -> LabelFile | None:
    """The file that says the labels of these images, beside them or above, up to `root`.

    Parameters
    ----------
    classes : class names of the training images, whose order the labels follow; None where there are none

    Raises
    ------
    AdvtoolError
        if two files disagree, or a file knows some of the images only, or its labels are none of the classes
    """
    complete: list[tuple[Path, dict[str, str]]] = []
    partial = None
    for path in _candidates(folder, root):
        rows = imagenet_labels.by_number(path, images) or _rows(path)
        known = sum(_find(image, rows) is not None for image in images) if rows else 0
        if known == len(images):
            complete.append((path, rows))
        elif known and not partial:
            partial = (path, next(image for image in images if _find(image, rows) is None))
    if not complete:
        if partial:
            raise AdvtoolError(f"{partial[1]}: has no label in {partial[0]}, which has one for others beside it")
        return None
    path, rows = complete[0]
    for other, others in complete[1:]:
        if any(_find(image, rows) != _find(image, others) for image in images):
            raise AdvtoolError(f"{folder}: {path} and {other} say different labels; keep one of them")
    labels, names = _numbered(path, rows, classes)
    is_shared = path.parent != folder and (path.parent == root or path.parent not in folder.parents)
    return LabelFile(path, labels, names, folder, is_shared)


def _candidates(folder: Path, root: Path) -> list[Path]:
    places = [folder]
    while places[-1] != root and root in places[-1].parents:
        places.append(places[-1].parent)
    places += [root / below for below in imagenet_labels.DEVKITS]
    files = [path for place in places if place.is_dir() for path in sorted(place.iterdir())]
    return [
        path
        for path in files
        if formats.extension(path.name) in _EXTENSIONS and path.is_file() and path.stat().st_size <= bounds.TEXT_BYTES
        # Kaggle's sample submissions give every image a label that means nothing
        if not is_hidden(path.name) and "submission" not in path.name.lower()
    ]


def _rows(path: Path) -> dict[str, str]:
    """Image → label, as the file has them; empty if it is no such file."""
    data = regular.read(path, bounds.TEXT_BYTES)
    if data.count(b"\n") + data.count(b"\r") > bounds.ROWS:
        return {}
    lines = data.decode("utf-8-sig", errors="replace").splitlines()
    try:
        table = [fields for fields in _split(lines) if fields]
    except csv.Error:  # fields that are longer than any name
        return {}
    column = _label_column(table)
    if column is None or any(len(fields) <= column for fields in table):
        return {}
    is_kaggle = table[0] == _KAGGLE_IMAGENET
    if _has_header(table, column):
        del table[0]
    found: dict[str, str] = {}
    for fields in table:
        label = fields[column].partition(" ")[0] if is_kaggle else fields[column]
        if found.setdefault(fields[0], label) != label:
            raise AdvtoolError(f"{path}: two labels for {fields[0]}: {found[fields[0]]} and {label}")
    return found


def _split(lines: list[str]) -> list[list[str]]:
    first = lines[0] if lines else ""
    separator = next((char for char in "\t,;" if char in first), None)
    if separator is None:
        return [line.split() for line in lines]
    return [[field.strip() for field in fields] for fields in csv.reader(lines, delimiter=separator)]


def _label_column(table: list[list[str]]) -> int | None:
    """The second column of two, or the one that is called so; the second of Tiny ImageNet's six, which end in a box."""
    if not table or len(table[0]) < 2:
        return None
    header = [field.lower() for field in table[0]]
    named = [index for index, field in enumerate(header) if field in _LABEL_COLUMNS and index > 0]
    if named:
        return named[0]
    return 1 if len(header) == 2 or (len(header) == 6 and all(field.isdigit() for field in header[2:])) else None


def _has_header(table: list[list[str]], column: int) -> bool:
    """Whether the first row is unlike the others: no file name where they have one, or no number."""
    first, later = table[0], table[1:]
    return (
        first[column].lower() in _LABEL_COLUMNS
        or first == _KAGGLE_IMAGENET
        or (bool(later) and _is_file(later[0][0]) and not _is_file(first[0]))
        or (bool(later) and not first[column].isdigit() and all(fields[column].isdigit() for fields in later))
    )


def _is_file(name: str) -> bool:
    return formats.extension(name) in formats.READ


def _find(image: Path, labels: Mapping[str, Label]) -> Label | None:
    """What is said of an image by its name, with or without extension, or by its path from any folder above."""
    for name in (image.name, image.stem):
        if name in labels:
            return labels[name]
    parts = image.parts
    for start in range(len(parts) - 2, -1, -1):
        if (joined := "/".join(parts[start:])) in labels:
            return labels[joined]
        if len(parts) - start > 4:
            break
    return None


def _numbered(
    path: Path, rows: Mapping[str, str], classes: tuple[str, ...] | None
) -> tuple[dict[str, int], tuple[str, ...]]:
    """Labels as numbers, and the names of the classes."""
    texts = set(rows.values())
    numbers = all(is_label(text) and int(text) <= MAX_LABEL for text in texts)
    if classes is not None and not texts <= set(classes):
        if numbers and max(map(int, texts)) < len(classes):
            return {image: int(text) for image, text in rows.items()}, classes
        stranger = max(texts - set(classes), key=int) if numbers else min(texts - set(classes))
        raise AdvtoolError(f"{path}: label {stranger} is none of the {len(classes)} classes of the training images")
    if classes is None and numbers:
        names: Iterable[str] = map(str, range(max(map(int, texts)) + 1))
        return {image: int(text) for image, text in rows.items()}, tuple(names)
    order = classes or tuple(sorted(texts))
    index = {name: label for label, name in enumerate(order)}
    return {image: index[text] for image, text in rows.items()}, order
