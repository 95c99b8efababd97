"""One pass over samples: what every reader can do, and the reader of shards."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import NamedTuple, Self

import numpy as np

from advtool.errors import AdvtoolError
from advtool.io.class_names import Collecting, Names, Numbering
from advtool.io.grouping import Grouping
from advtool.io.head import Head
from advtool.io.keys import LABEL, NO_KEYS, Keys
from advtool.io.samples import Sample
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

    def expected(self, read: int) -> int | None:
        """How many samples there are, about, after `read` of them; this one can be asked while it is iterated."""
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
    and those must agree. Without any, it is empty, but for the class names where labels are such.

    Parameters
    ----------
    keys : which members are image and label, where that is to be said
    names : reads the same streams through for the class names; None where that cannot be done
    size : of the files that the streams are, in bytes; None where that is not known

    Raises
    ------
    AdvtoolError
        naming stream and byte offset or sample, for whatever is wrong with an archive; if there is no sample
    """

    def __init__(
        self,
        streams: Iterable[Stream],
        name: str,
        keys: Keys = NO_KEYS,
        names: Names | None = None,
        size: int | None = None,
    ):
        self._known, self._size = _Known(Numbering(names, keys.label or LABEL)), size
        self._samples = _read(streams, name, self._known, keys)
        self._first = next(self._samples)

    @property
    def head(self) -> Head:
        return self._known.with_names()

    def __iter__(self) -> Iterator[Sample]:
        with closing(self._samples):
            yield self._first
            yield from self._samples

    def expected(self, read: int) -> int | None:
        consumed = self._known.consumed()
        return max(read, round(read * self._size / consumed)) if self._size and consumed else None

    def close(self) -> None:
        self._samples.close()


def class_names(streams: Iterable[Stream], name: str, keys: Keys) -> tuple[str, ...]:
    """Read streams through whose labels are class names: those that a head lists, else the ones that occur, sorted."""
    numbering = Collecting()
    known = _Known(numbering)
    for _ in _read(streams, name, known, keys, warns=False):
        pass
    return known.head.classes or tuple(sorted(numbering.found))


class _Known:
    """What the streams of a reader have said so far; apart from it, so that no cycle keeps their files open."""

    def __init__(self, numbering: Numbering) -> None:
        self.head, self.numbering = Head(), numbering
        self._has_head = False
        self._before = 0
        self._stream: Stream | None = None

    def opened(self, stream: Stream) -> None:
        """What follows comes from `stream`."""
        self._before, self._stream = self.consumed(), stream

    def consumed(self) -> int:
        """Bytes of the files that were read so far."""
        return self._before + (self._stream.consumed if self._stream else 0)

    def add(self, head: Head, stream: str) -> None:
        self.head = self.head.merged(head, stream) if self._has_head else head
        self._has_head = True

    def with_names(self) -> Head:
        """The head, with the class names that labels are."""
        names = self.numbering.names
        return replace(self.head, classes=names, num_classes=len(names)) if names else self.head


def _read(streams: Iterable[Stream], name: str, known: _Known, keys: Keys, warns: bool = True) -> Generator[Sample]:
    empty = True
    with closing(_members(streams, known)) as members:
        grouping = Grouping(members, keys, known.numbering, known.add, lambda: known.head, warns)
        for sample in grouping:
            empty = False
            yield sample
    if empty:
        raise AdvtoolError(f"{name}: no samples{grouping.described()}")


def _members(streams: Iterable[Stream], known: _Known) -> Generator[Member]:
    for stream in streams:
        known.opened(stream)
        yield from read_members(stream)
