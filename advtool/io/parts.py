"""Finished shards of a run that has not come to its end: ``.NAME-%06d.tar.SIZE.INPUT.CONTENT.part``.

The name says how many samples a shard has, and the digests of the samples that it was made of and of its own bytes, so
that a part is taken up only for the samples that it belongs to, and only as it was written.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from advtool.errors import UsageError
from advtool.io.atomic import Writable
from advtool.io.head import Head
from advtool.io.readers import SampleReader
from advtool.io.samples import Sample
from advtool.io.streams import open_path

_NAME = re.compile(
    r"\.(?P<name>.*-(?P<index>[0-9]{6,}))\.tar\.(?P<size>[0-9]+)\.(?P<input>[0-9a-f]{16})\.(?P<content>[0-9a-f]{16})\.part",
    re.DOTALL,
)
_DIGITS = 16


class Fingerprint:
    """Of the samples that a shard is made of: keys, labels, every byte."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def add(self, sample: Sample) -> None:
        for name, data in (("", sample.key.encode("utf-8", "surrogateescape")), *sorted(sample.members.items())):
            self._hash.update(f"{name} {len(data)}\n".encode("utf-8", "surrogateescape"))
            self._hash.update(data)

    def __str__(self) -> str:
        return self._hash.hexdigest()[:_DIGITS]


class Hashing:
    """A file that is hashed while it is written."""

    def __init__(self, file: Writable) -> None:
        self._file, self._hash = file, hashlib.sha256()

    def write(self, data: bytes) -> int:
        self._hash.update(data)
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()

    def __str__(self) -> str:
        return self._hash.hexdigest()[:_DIGITS]


@dataclass(frozen=True)
class Part:
    """What the name of a finished shard says."""

    path: Path
    target: Path
    index: int
    size: int
    input: str
    content: str

    @classmethod
    def of(cls, path: Path) -> "Part | None":
        """None for a name of another kind, as earlier versions gave."""
        if not (match := _NAME.fullmatch(path.name)):
            return None
        target = path.with_name(f"{match['name']}.tar")
        return cls(path, target, int(match["index"]), int(match["size"]), match["input"], match["content"])


def part_path(target: Path, size: int, made_of: Fingerprint | None, content: Hashing) -> Path:
    """Where a shard `target` lies until all are finished."""
    return target.with_name(f".{target.name}.{size}.{made_of or Fingerprint()}.{content}.part")


def check_parts(paths: Iterable[Path], head: Head, size: int) -> None:
    """Read each part to its end.

    Raises
    ------
    UsageError
        if one is not as it was written, or another command or another number of samples per shard made it
    """
    for path in paths:
        part = Part.of(path)
        if part is None:
            raise refusal(path, "of another version, or none of ours")
        if part.size != size:
            raise refusal(path, "of another size")
        hashed = hashlib.sha256()
        with open(path, "rb") as file:
            while data := file.read(1 << 20):
                hashed.update(data)
        if hashed.hexdigest()[:_DIGITS] != part.content:
            raise refusal(path, "that are not as they were written")
        if not _is_of(path, head):
            raise refusal(path, "of another command")


def check_named(paths: Iterable[Path], head: Head) -> None:
    """Raise UsageError if one of these finished shards is of another command."""
    for path in paths:
        if not _is_of(path, head):
            message = f"{path.parent} has shards of another command ({path.name}); -f makes them anew"
            raise UsageError(message, parameter="out")


def _is_of(path: Path, head: Head) -> bool:
    """Whether a shard has this head, but for the history, which says versions too."""
    with SampleReader([open_path(path)], str(path)) as reader:
        made = reader.head
    now = Head.from_bytes(head.to_bytes(), "")
    return replace(made, history=()) == replace(now, history=())


def check_input(part: Part, found: Fingerprint) -> None:
    """Raise UsageError if a part was made of other samples than those that would go into it now."""
    if part.input != str(found):
        raise refusal(part.path, "of other samples than these")


def refusal(path: Path, why: str) -> UsageError:
    message = f"{path.parent} has unfinished shards {why} ({path.name}); -f starts anew"
    return UsageError(message, parameter="resume")
