"""Folders of images, one folder per class: ``DIR/CLASS/**/IMAGE`` or ``DIR/SPLIT/CLASS/**/IMAGE``."""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from advtool.errors import AdvtoolError, UsageError
from advtool.io import images
from advtool.io.head import Head
from advtool.io.readers import Listing, Reader
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


class FolderReader(Reader):
    """One pass: the first image of each class, then the second of each, and so on.

    Interleaved, any beginning of the stream has all classes in it. Files are passed on as they are if all have
    the same extension, else every one is encoded as PNG.
    """

    def __init__(self, source: ClassFolders):
        self._source = source
        classes = _class_folders(source.directory)
        files = [_image_files(folder) for folder in classes]
        for folder, of_class in zip(classes, files, strict=True):
            if not of_class:
                raise AdvtoolError(f"{folder}: class folder without an image")
        self._files = [(label, path) for row in itertools.zip_longest(*files) for label, path in enumerate(row) if path]
        self._keys: list[str] = []
        self._later_keys = _keys(source.directory, (path for _, path in self._files))
        self._as_is = len({_extension(path) for _, path in self._files}) == 1
        shapes = {self._sample(index).shape() for index in range(min(len(self._files), _HEADERS_READ))}
        sizes, channels = {shape[1:] for shape in shapes}, max(shape[0] for shape in shapes)
        self._head = Head(
            classes=tuple(folder.name for folder in classes),
            num_classes=len(classes),
            shape=(channels, *sizes.pop()) if len(sizes) == 1 else None,
            split=source.split,
            source=source.name,
        )

    @property
    def head(self) -> Head:
        return self._head

    def __iter__(self) -> Iterator[Sample]:
        return map(self._sample, range(len(self._files)))

    def count(self) -> int:
        return len(self._files)

    def listing(self) -> Listing:
        self._keys.extend(self._later_keys)
        return Listing(self._keys, self._sample)

    def _key(self, index: int) -> str:
        self._keys.extend(itertools.islice(self._later_keys, max(0, index + 1 - len(self._keys))))
        return self._keys[index]

    def _sample(self, index: int) -> Sample:
        label, path = self._files[index]
        key, extension = self._key(index), _extension(path)
        try:
            data = path.read_bytes()
        except OSError as error:
            raise AdvtoolError(f"{path}: cannot read ({error.strerror})") from None
        sample = Sample(key, {extension: data, "cls": str(label).encode()}, self._source.name)
        if self._as_is:
            return sample
        return Sample(key, {"png": images.encode_png(sample.pixels()), "cls": sample.members["cls"]}, sample.shard)


def _keys(directory: Path, files: Iterable[Path]) -> Iterator[str]:
    """The paths below the directory without their extensions, dots replaced; numbered where that occurs twice."""
    owners: dict[str, Path] = {}
    for path in files:
        plain = str(path.relative_to(directory).with_suffix("")).replace(".", "_")
        key, number = plain, 1
        while owners.setdefault(key, path) != path:
            number += 1
            key = f"{plain}_{number}"
        yield key


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
            raise UsageError(f"has no split '{split}' (has {', '.join(found)})", parameter="data", value=name)
        return ClassFolders(name, found[split], split, tuple(found))
    if not any(_image_files(folder) for folder in _class_folders(directory)):
        message = "neither shards (train-*.tar) nor class folders with images in this directory"
        raise UsageError(message, parameter="data", value=name)
    return ClassFolders(name, directory)


def _class_folders(directory: Path) -> list[Path]:
    return sorted(path for path in directory.iterdir() if path.is_dir() and not path.name.startswith("."))


def _image_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if _extension(path) in images.EIGHT_BIT and path.is_file())


def _extension(path: Path) -> str:
    extension = path.suffix[1:].lower()
    return "jpg" if extension == "jpeg" else extension
