"""Folders of images, one folder a class: ``DIR/CLASS/**/IMAGE`` or ``DIR/SPLIT/CLASS/**/IMAGE``."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from advtool.errors import AdvtoolError, UsageError
from advtool.io import images
from advtool.io.head import Head
from advtool.io.samples import Sample

_SPLIT_FOLDERS = {"train": ("train",), "test": ("test", "val", "validation")}
_HEADERS_READ = 64


@dataclass(frozen=True)
class ClassFolders:
    """Class folders in one directory. Labels follow the sorted folder names, as in torchvision."""

    name: str
    directory: Path
    split: str | None = None
    splits: tuple[str, ...] = ()
    repeatable: bool = True

    def open(self) -> "FolderReader":
        return FolderReader(self)


class FolderReader:
    """One pass: the first image of each class, then the second of each, and so on.

    Interleaved, any beginning of the stream has all classes in it. Files are passed on as they are if all have
    the same extension, else every one is encoded as PNG.
    """

    def __init__(self, source: ClassFolders):
        self._source = source
        self._keys: dict[str, Path] = {}
        classes = _class_folders(source.directory)
        self._files = [_image_files(folder) for folder in classes]
        for folder, files in zip(classes, self._files, strict=True):
            if not files:
                raise AdvtoolError(f"{folder}: class folder without an image")
        extensions = {_extension(path) for files in self._files for path in files}
        self._as_is = len(extensions) == 1
        shapes = {self._sample(0, path).shape() for path in itertools.islice(self._in_order(), _HEADERS_READ)}
        sizes, channels = {shape[1:] for shape in shapes}, max(shape[0] for shape in shapes)
        self.head = Head(
            classes=tuple(folder.name for folder in classes),
            num_classes=len(classes),
            shape=(channels, *sizes.pop()) if len(sizes) == 1 else None,
            split=source.split,
            source=source.name,
        )

    def __iter__(self) -> Iterator[Sample]:
        for row in self._rows():
            for label, path in enumerate(row):
                if path:
                    yield self._sample(label, path)

    def __len__(self) -> int:
        return sum(map(len, self._files))

    def shuffled(self, seed: int, limit: int | None = None) -> Iterator[Callable[[], Sample]]:
        """The first `limit` images in random order, each as a function that reads its file."""
        labelled = [(label, path) for row in self._rows() for label, path in enumerate(row) if path][:limit]
        for _, path in labelled:
            self._key(path)  # numbered in the order of the files, not in that of the shuffle
        for index in np.random.default_rng(seed).permutation(len(labelled)):
            yield partial(self._sample, *labelled[index])

    def _rows(self) -> Iterator[tuple[Path | None, ...]]:
        return itertools.zip_longest(*self._files)

    def _key(self, path: Path) -> str:
        """The path below the source without its extension, dots replaced; numbered where that occurs twice."""
        plain = str(path.relative_to(self._source.directory).with_suffix("")).replace(".", "_")
        key, number = plain, 1
        while self._keys.setdefault(key, path) != path:
            number += 1
            key = f"{plain}_{number}"
        return key

    def _in_order(self) -> Iterator[Path]:
        return (path for row in self._rows() for path in row if path)

    def _sample(self, label: int, path: Path) -> Sample:
        key, extension = self._key(path), _extension(path)
        try:
            data = path.read_bytes()
        except OSError as error:
            raise AdvtoolError(f"{path}: cannot read ({error.strerror})") from None
        sample = Sample(key, {extension: data, "cls": str(label).encode()}, self._source.name)
        if self._as_is:
            return sample
        return Sample(key, {"png": images.encode_png(sample.pixels()), "cls": sample.members["cls"]}, sample.shard)


def resolve(name: str, directory: Path, split: str | None, default_split: str) -> ClassFolders:
    """Find the class folders of a directory, with or without split folders above them."""
    found = {
        s: directory / folder
        for s, folders in _SPLIT_FOLDERS.items()
        for folder in reversed(folders)
        if (directory / folder).is_dir() and _class_folders(directory / folder)
    }
    if found:
        split = split or default_split
        if split not in found:
            raise UsageError(f"--data {name}: has no split '{split}' (has {', '.join(found)})")
        return ClassFolders(name, found[split], split, tuple(found))
    if not any(_image_files(folder) for folder in _class_folders(directory)):
        raise UsageError(f"--data {name}: neither shards (train-*.tar) nor class folders with images in this directory")
    return ClassFolders(name, directory)


def _class_folders(directory: Path) -> list[Path]:
    return sorted(path for path in directory.iterdir() if path.is_dir() and not path.name.startswith("."))


def _image_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if _extension(path) in images.EIGHT_BIT and path.is_file())


def _extension(path: Path) -> str:
    extension = path.suffix[1:].lower()
    return "jpg" if extension == "jpeg" else extension
