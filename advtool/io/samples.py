"""Samples: the adjacent members ``KEY.EXT`` of a shard, grouped and checked."""

import itertools
import json
import re
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from advtool.errors import AdvtoolError
from advtool.io import head as head_module
from advtool.io import images
from advtool.io.head import MAX_CLASSES, Head
from advtool.io.streams import Stream
from advtool.io.tar import Member, read_members

MAX_LABEL = MAX_CLASSES - 1
KNOWN_EXTENSIONS = {*images.IMAGE_EXTENSIONS, "cls", "json"}
_MEMBER_NAME = re.compile(r"((?:.*/|)[^.]+)[.]([^/]+)", re.DOTALL)
_RESERVED = re.compile(r"__[^/]*__/")


class ShardWarning(UserWarning):
    """Something in a shard was passed over."""


@dataclass(slots=True)
class Sample:
    """One image with its label.

    Attributes
    ----------
    key : name, unique in its shard
    members : extension → encoded bytes, as in the shard; other extensions than ours included
    shard : where it came from, for messages
    """

    key: str
    members: dict[str, bytes]
    shard: str

    @property
    def extension(self) -> str:
        """Extension of the image member."""
        for extension in images.IMAGE_EXTENSIONS:
            if extension in self.members:
                return extension
        raise self.fault(f"no image member (one of {', '.join(images.IMAGE_EXTENSIONS)})")

    def pixels(self) -> np.ndarray:
        """Decode the image: uint8 or float32 in [0, 1], C×H×W."""
        extension = self.extension
        try:
            return images.decode(self.members[extension], extension)
        except AdvtoolError as error:
            raise self.fault(str(error)) from None

    def shape(self) -> tuple[int, int, int]:
        """(C, H, W), without decoding where the format allows."""
        extension = self.extension
        try:
            return images.size(self.members[extension], extension)
        except AdvtoolError as error:
            raise self.fault(str(error)) from None

    @property
    def label(self) -> int:
        text = self.members.get("cls")
        if text is None:
            raise self.fault("no label (.cls member)")
        stripped = text.strip()
        if not (stripped.isdigit() and len(stripped) <= 9):
            raise self.fault(f"label {_short(text)} is not a non-negative integer")
        if int(stripped) > MAX_LABEL:
            raise self.fault(f"label {int(stripped)}, more than {MAX_LABEL}")
        return int(stripped)

    def provenance(self) -> dict:
        """The content of the .json member; empty where there is none."""
        try:
            fields = json.loads(self.members.get("json", b"{}"))
        except (ValueError, RecursionError):
            fields = None
        if not isinstance(fields, dict):
            raise self.fault("its .json member is not a JSON object")
        return fields

    def fault(self, reason: str) -> AdvtoolError:
        return AdvtoolError(f"{self.shard}: sample '{self.key}': {reason}")


class SampleReader:
    """Iterates once over the samples of one stream or several, one after another.

    `head` describes what has been read so far: streams and concatenated archives may each have a head member,
    and those must agree. Without any, it is empty.

    Raises
    ------
    AdvtoolError
        naming stream and byte offset or sample, for whatever is wrong with an archive; if there is no sample
    """

    def __init__(self, streams: Iterable[Stream], name: str):
        self.head = Head()
        self._name = name
        self._has_head = False
        self._warned: set[str] = set()
        members = itertools.chain.from_iterable(map(read_members, streams))
        self._samples = self._read(members)
        self._first = next(self._samples)

    def __iter__(self) -> Iterator[Sample]:
        yield self._first
        yield from self._samples

    def _read(self, members: Iterable[Member]) -> Iterator[Sample]:
        empty = True
        for _, archive in itertools.groupby(members, lambda member: (member.stream, member.archive)):
            for sample in self._group(archive):
                empty = False
                yield sample
        if empty:
            raise AdvtoolError(f"{self._name}: no samples")

    def _group(self, archive: Iterable[Member]) -> Iterator[Sample]:
        sample: Sample | None = None
        seen: set[int] = set()
        for member in archive:
            if member.name == head_module.NAME:
                if sample:
                    raise AdvtoolError(f"{member.stream}: byte {member.offset}: head member after samples")
                self._take_head(Head.from_bytes(member.data, member.stream), member.stream)
                continue
            key, extension = split_name(member.name)
            if not key:
                continue
            if extension not in KNOWN_EXTENSIONS:
                self._warn(member.stream, extension)
            if sample is None or key != sample.key:
                if sample:
                    yield sample
                sample = Sample(key, {}, member.stream)
                if hash(key) in seen:
                    raise sample.fault("duplicate key")
                seen.add(hash(key))
            if extension in sample.members:
                raise sample.fault(f"two .{extension} members")
            sample.members[extension] = member.data
        if sample:
            yield sample

    def _take_head(self, head: Head, stream: str) -> None:
        self.head = self.head.merged(head, stream) if self._has_head else head
        self._has_head = True

    def _warn(self, stream: str, extension: str) -> None:
        if not self._warned:
            warnings.warn(f"{stream}: members with extension .{extension} are passed over", ShardWarning, stacklevel=1)
        self._warned.add(extension)


def split_name(name: str) -> tuple[str, str]:
    """Split a member name at the first dot of its last component, as webdataset does: (key, extension).

    Both are empty for what is no part of a sample: names without an extension, and everything in ``__…__/``.
    """
    match = None if _RESERVED.match(name) else _MEMBER_NAME.fullmatch(name)
    return (match[1], match[2].lower()) if match else ("", "")


def _short(data: bytes) -> str:
    text = data[:20].decode("utf-8", "replace")
    return repr(text + ("…" if len(data) > 20 else ""))
