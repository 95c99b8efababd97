"""One pass over samples: what every reader can do, and the reader of shards."""

import itertools
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np

from advtool.errors import AdvtoolError
from advtool.io import head as head_module
from advtool.io.head import Head
from advtool.io.hidden import is_hidden
from advtool.io.samples import KNOWN_EXTENSIONS, Sample, ShardWarning, split_name
from advtool.io.streams import Stream
from advtool.io.tar import Member, read_members


class Arrays(NamedTuple):
    """Samples as arrays: pixels uint8 or float32 in [0, 1], N×C×H×W; labels int64, N; keys, N."""

    pixels: np.ndarray
    labels: np.ndarray
    keys: list[str]

    def take(self, which: slice | np.ndarray) -> "Arrays":
        """The samples of a slice, or at some indices."""
        keys = self.keys[which] if isinstance(which, slice) else [self.keys[index] for index in which]
        return Arrays(self.pixels[which], self.labels[which], keys)


@dataclass(frozen=True)
class Listing:
    """Samples that are read one at a time and in any order, from several threads if need be.

    Attributes
    ----------
    keys : of all samples, in the order of the reader
    read : the sample with a number
    """

    keys: Sequence[str]
    read: Callable[[int], Sample]

    def __len__(self) -> int:
        return len(self.keys)

    def take(self, indices: Iterable[int]) -> "Listing":
        """The samples at these indices, in this order."""
        kept = list(indices)
        return Listing([self.keys[index] for index in kept], lambda number: self.read(kept[number]))


class Reader(ABC):
    """One pass over the samples of a source.

    A reader may know more than the next sample; where it does not, these methods return None. They can be asked
    instead of iterating, not after it.
    """

    @property
    @abstractmethod
    def head(self) -> Head:
        """What is known so far."""

    @abstractmethod
    def __iter__(self) -> Iterator[Sample]:
        """The samples, once."""

    def count(self) -> int | None:
        """How many samples there are."""
        return None

    def arrays(self) -> Arrays | None:
        """All samples at once, past the encoding."""
        return None

    def listing(self) -> Listing | None:
        """All samples by number, none of them read yet."""
        return None

    def close(self) -> None:
        """Let go of what is open; a reader that came to its end, or failed, has done so already."""
        return None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class SampleReader(Reader):
    """Iterates once over the samples of one stream or several, one after another, and closes each at its end.

    `head` describes what has been read so far: streams and concatenated archives may each have a head member,
    and those must agree. Without any, it is empty.

    Raises
    ------
    AdvtoolError
        naming stream and byte offset or sample, for whatever is wrong with an archive; if there is no sample
    """

    def __init__(self, streams: Iterable[Stream], name: str):
        self._known = _Known()
        self._samples = _read(streams, name, self._known)
        self._first = next(self._samples)

    @property
    def head(self) -> Head:
        return self._known.head

    def __iter__(self) -> Iterator[Sample]:
        with closing(self._samples):
            yield self._first
            yield from self._samples

    def close(self) -> None:
        self._samples.close()


class _Known:
    """What the streams of a reader have said so far; apart from it, so that no cycle keeps their files open."""

    def __init__(self) -> None:
        self.head = Head()
        self._has_head = False
        self._has_warned = False

    def add(self, head: Head, stream: str) -> None:
        self.head = self.head.merged(head, stream) if self._has_head else head
        self._has_head = True

    def warn(self, stream: str, extension: str) -> None:
        if not self._has_warned:
            warnings.warn(f"{stream}: members with extension .{extension} are passed over", ShardWarning, stacklevel=1)
        self._has_warned = True


def _read(streams: Iterable[Stream], name: str, known: _Known) -> Generator[Sample]:
    empty = True
    with closing(_members(streams)) as members:
        for _, archive in itertools.groupby(members, lambda member: (member.stream, member.archive)):
            for sample in _grouped(archive, known):
                empty = False
                yield sample
    if empty:
        raise AdvtoolError(f"{name}: no samples")


def _members(streams: Iterable[Stream]) -> Generator[Member]:
    for stream in streams:
        yield from read_members(stream)


def _grouped(archive: Iterable[Member], known: _Known) -> Iterator[Sample]:
    sample: Sample | None = None
    seen: set[int] = set()
    for member in archive:
        if member.name == head_module.NAME:
            if sample:
                raise AdvtoolError(f"{member.stream}: byte {member.offset}: head member after samples")
            known.add(Head.from_bytes(member.data, member.stream), member.stream)
            continue
        key, extension = split_name(member.name)
        if not key or is_hidden(member.name):
            continue
        if extension not in KNOWN_EXTENSIONS:
            known.warn(member.stream, extension)
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
