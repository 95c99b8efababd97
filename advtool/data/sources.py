"""Where samples come from: everything that a data specification can name, behind one interface."""

import glob
import sys
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Protocol

from advtool.data import braces, layouts, named, npz, patterns, shard_files, splits
from advtool.errors import UsageError, unknown
from advtool.io import regular, streams
from advtool.io.keys import NO_KEYS, Keys
from advtool.io.readers import Reader, SampleReader, class_names
from advtool.io.shards import shard_paths

SPLITS = ("train", "test")
EMBEDDED = "digits"
NAMES = (EMBEDDED, patterns.NAME, *named.NAMES)


class Source(Protocol):
    """A place that samples can be read from."""

    @property
    def name(self) -> str:
        """What the user called it."""

    @property
    def split(self) -> str | None:
        """The part that is read; None if the source has no parts."""

    @property
    def splits(self) -> tuple[str, ...]:
        """The parts that there are; empty if the source has no parts."""

    @property
    def layout(self) -> str | None:
        """How its parts were found, in words; None where there was nothing to find."""

    @property
    def repeatable(self) -> bool:
        """Whether it can be read more than once."""

    def open(self) -> Reader:
        """Begin to read it."""


@dataclass(frozen=True)
class Shards:
    """Tar files, one after another.

    Attributes
    ----------
    numbered_by : the shards that these are some of, whose class names are numbered together
    """

    name: str
    paths: tuple[Path, ...]
    split: str | None = None
    splits: tuple[str, ...] = ()
    layout: str | None = None
    repeatable: bool = True
    keys: Keys = NO_KEYS
    numbered_by: "Shards | None" = None

    def open(self) -> SampleReader:
        whole = self.numbered_by or self
        are_files = all(path.is_file() for path in whole.paths)
        find = (lambda: whole._class_names) if are_files else None
        size = sum(path.stat().st_size for path in self.paths) if are_files else None
        return SampleReader(map(streams.open_path, self.paths), self.name, self.keys, find, size)

    @cached_property
    def _class_names(self) -> tuple[str, ...]:
        return class_names(map(streams.open_path, self.paths), self.name, self.keys)


@dataclass(frozen=True)
class Stdin:
    """One tar, or several concatenated ones, on standard input."""

    name: str = "stdin"
    split: str | None = None
    splits: tuple[str, ...] = ()
    layout: str | None = None
    repeatable: bool = False
    keys: Keys = NO_KEYS

    def open(self) -> SampleReader:
        return SampleReader([streams.stdin()], self.name, self.keys)


def takes_keys(source: Source) -> bool:
    """Whether keys can say which members of its samples are image and label: shards of the user's."""
    return isinstance(source, Shards | Stdin) and source.name != EMBEDDED


def keyed(source: Source, keys: Keys) -> Source:
    """The source, read with keys if it takes them."""
    return replace(source, keys=keys) if isinstance(source, Shards | Stdin) and takes_keys(source) else source


def resolve(
    spec: str | None,
    split: str | None = None,
    *,
    default_split: str = "train",
    data_root: Path | None = None,
    download: bool = False,
) -> Source:
    """Find the source that a specification names.

    Parameters
    ----------
    spec : ``-``, a name, a shard, an .npz archive, a glob or brace pattern, a directory of shards or of class folders.
        None means standard input if that is a pipe or a file, else the embedded digits
    split : the part that the user asked for; `default_split` where there are parts and none was asked for
    data_root : where torchvision datasets lie

    Raises
    ------
    UsageError
        if there is no such dataset, file or split
    """
    if spec is None:
        spec = "-" if streams.stdin_is_data() else EMBEDDED
    if not spec:
        raise UsageError("must not be empty", parameter="data")
    if spec == "-":
        if sys.stdin is None or sys.stdin.isatty():
            raise UsageError("stdin is a terminal; pipe shards in: … | advtool …", parameter="data", value=spec)
        return Stdin()
    path = Path(spec)
    if spec in named.NAMES and not path.exists():
        splits = named.splits_of(spec)
        split = split or (default_split if default_split in splits else splits[0])
        return named.resolve(spec, split, named.root(data_root), download)
    if spec == EMBEDDED:
        directory = embedded_shards()
        return _directory_of_shards(EMBEDDED, directory, {s: f"{EMBEDDED}-{s}" for s in SPLITS}, split or default_split)
    if spec == patterns.NAME and not path.exists():
        return patterns.resolve(split or default_split)
    if path.is_dir():
        return _directory(spec, path, split, default_split)
    if npz.is_archive(path):
        return npz.resolve(spec, path, split, default_split)
    if npz.is_array(path):
        raise npz.refusal_of_array(spec)
    if path.exists():
        return Shards(spec, (path,))
    found: dict[Path, None] = {}
    for pattern in braces.expanded(spec):
        more = sorted(glob.glob(pattern))
        if not more and found:
            raise UsageError(f"no such file {pattern}", parameter="data", value=spec)
        found |= dict.fromkeys(map(Path, more))
    matches = list(found)
    for match in matches:
        regular.check(match, "a shard")
    if len(matches) > 1:
        chosen, part = shard_files.of_pattern(matches, split, spec)
        return Shards(spec, tuple(chosen), part, (part,) if part else ())
    if matches:
        return Shards(spec, tuple(matches))
    if "://" in spec or spec.startswith("pipe:"):
        message = "addresses and commands are not opened; pipe the shards in: … | advtool …"
        raise UsageError(message, parameter="data", value=spec)
    if any(char in spec for char in "/*?[{") or spec.endswith((".tar", ".gz", ".npz")):
        raise UsageError("no such file or directory", parameter="data", value=spec)
    raise unknown("dataset, file or directory", spec, NAMES)


def embedded_shards() -> Path:
    """The folder of the embedded digits: in the wheel, or beside the package in a checkout."""
    package = Path(__file__).resolve().parents[1]
    wheel = package / "_shards"
    return wheel if wheel.is_dir() else package.parent / "shards"


def _directory(name: str, path: Path, split: str | None, default_split: str) -> Source:
    shards = shard_files.in_directory(path)
    if not shards:
        return layouts.resolve(name, path, split, default_split)
    if layouts.is_laid_out(path):
        message = f"both shards ({shards[0].name}) and folders of images; move one of them elsewhere"
        raise UsageError(message, parameter="data", value=name)
    found, layout = shard_files.by_split(shards, path)
    if not found:
        return Shards(name, tuple(shards), layout=layout)
    chosen, split, parts = splits.choose(found, split, default_split, name)
    if "val" in found and "val" not in parts:
        layout += "; val is the test split"
    return Shards(name, tuple(chosen), split, parts, layout)


def _directory_of_shards(name: str, directory: Path, prefixes: dict[str, str], split: str) -> Shards:
    if split not in prefixes:
        raise UsageError(f"has no split '{split}' (has {', '.join(prefixes)})", parameter="data", value=name)
    return Shards(name, tuple(shard_paths(directory, prefixes[split])), split, tuple(prefixes))
