"""Images in folders, labelled by class folders, ``DIR/CLASS/**/IMAGE``, or by a file that lists them."""

import itertools
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from advtool import bounds
from advtool.data import tree
from advtool.data.labels import LabelFile
from advtool.errors import AdvtoolError
from advtool.io import formats, images, regular
from advtool.io.head import Head
from advtool.io.readers import Listing, Reader
from advtool.io.samples import Sample
from advtool.io.shape import Shape

_HEADERS_READ = 64
_RESERVED = re.compile(r"\A_(?=_[^/]*__/)")


@dataclass(frozen=True)
class Contents:
    """The images of a folder, by class, in the order of the labels."""

    classes: tuple[str, ...]
    images: Sequence[Sequence[Path]]


class Folders(Protocol):
    """A source of images that lie in a directory."""

    @property
    def name(self) -> str: ...

    @property
    def directory(self) -> Path: ...

    @property
    def split(self) -> str | None: ...

    def contents(self) -> Contents:
        """Find the images; what is left out is said in a warning."""


@dataclass(frozen=True)
class ClassFolders:
    """Class folders in one directory. Labels follow the sorted folder names, as in torchvision."""

    name: str
    directory: Path
    split: str | None = None
    splits: tuple[str, ...] = ()
    layout: str | None = None
    repeatable: bool = True

    def contents(self) -> Contents:
        """The images of each class folder; AdvtoolError if one has none."""
        top = tree.look_into(self.directory)
        found = []
        others = list(top.others)
        for path in top.folders:
            of_class, more = tree.gather(tree.look_into(path, top.ancestors))
            if not of_class:
                raise AdvtoolError(f"{path}: class folder without an image")
            found.append(of_class)
            others += more
        left_out = [tree.counted_by_extension(others)] if others else []
        if top.images:
            left_out.append(f"{len(top.images):,} {_lie(top.images)} in no class folder ({top.images[0].name})")
        _warn(self.directory, left_out)
        return Contents(tuple(path.name for path in top.folders), found)

    def open(self) -> "FolderReader":
        return FolderReader(self)


@dataclass(frozen=True)
class LabelledFolder:
    """A directory of images whose labels stand in a file."""

    name: str
    directory: Path
    labels: LabelFile
    split: str | None = None
    splits: tuple[str, ...] = ()
    layout: str | None = None
    repeatable: bool = True

    def contents(self) -> Contents:
        """The images of each class; AdvtoolError if one has no label."""
        files, others = tree.gather(tree.look_into(self.directory))
        others = [path for path in others if path != self.labels.path]
        by_class: list[list[Path]] = [[] for _ in self.labels.classes]
        for path in files:
            by_class[self.labels.label(path)].append(path)
        left_out = [tree.counted_by_extension(others)] if others else []
        if (absent := len(self.labels.labels) - len(files)) > 0 and not self.labels.is_shared:
            left_out.append(f"{absent:,} of {len(self.labels.labels):,} labels in {self.labels.path} have no image")
        _warn(self.directory, left_out)
        return Contents(self.labels.classes, by_class)

    def open(self) -> "FolderReader":
        return FolderReader(self)


class FolderReader(Reader):
    """One pass: the first image of each class, then the second of each, and so on.

    Interleaved, any beginning of the stream has all classes in it. The bytes of files are passed on as they are, all
    under one extension: that of the commonest format among the first of them, since what reads images goes by content.
    """

    def __init__(self, source: Folders):
        self._source = source
        contents = source.contents()
        rows = itertools.zip_longest(*contents.images)
        self._files = [(label, path) for row in rows for label, path in enumerate(row) if path]
        self._keys: list[str] = []
        self._later_keys = _keys(source.directory, (path for _, path in self._files))
        self._extension = "png"
        first = [self._sample(index) for index in range(min(len(self._files), _HEADERS_READ))]
        kinds = Counter(images.kind(sample.members["png"], "png") for sample in first)
        stored = {kind: n for kind, n in kinds.items() if kind in formats.STORED}
        self._extension = max(stored, key=lambda kind: (stored[kind], kind == "png"), default="png")
        self._head = Head(
            classes=contents.classes,
            num_classes=len(contents.classes),
            shape=_common({sample.shape() for sample in first}),
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
        data = regular.read(path, bounds.MEMBER_BYTES)
        members = {self._extension: data, "cls": str(label).encode()}
        return _FileSample(self._key(index), members, self._source.name, path)


@dataclass(slots=True)
class _FileSample(Sample):
    """A sample that is a file on disk, and is called by its path in errors."""

    path: Path

    def fault(self, reason: str) -> AdvtoolError:
        return AdvtoolError(f"{self.path}: {reason}")


def _common(shapes: set[Shape]) -> Shape | None:
    sizes, channels = {shape[1:] for shape in shapes}, max(shape[0] for shape in shapes)
    return (channels, *sizes.pop()) if len(sizes) == 1 else None


def _keys(directory: Path, files: Iterable[Path]) -> Iterator[str]:
    """The paths below the directory without their extensions, dots replaced; numbered where that occurs twice."""
    owners: dict[str, Path] = {}
    for path in files:
        plain = _RESERVED.sub("", str(path.relative_to(directory).with_suffix("")).replace(".", "_"), count=1)
        key, number = plain, 1
        while owners.setdefault(key, path) != path:
            number += 1
            key = f"{plain}_{number}"
        yield key


def _lie(files: Sequence[Path]) -> str:
    return "image lies" if len(files) == 1 else "images lie"


def _warn(directory: Path, left_out: list[str]) -> None:
    if left_out:
        warnings.warn(f"{directory}: {'; '.join(left_out)}", tree.LeftOutWarning, stacklevel=1)
