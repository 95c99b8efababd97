"""Samples on their way from a reader, counted for whoever watches."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from advtool import progress
from advtool.io.readers import Reader
from advtool.io.samples import Sample

_EVERY = 16
"""Samples between two looks at how many there are in all."""


def watched(description: str, samples: Iterable[Sample], reader: Reader, limit: int | None = None) -> Iterator[Sample]:
    """The first `limit` samples of a reader, in a stage of their own.

    Parameters
    ----------
    samples : of the reader, all that are not read yet
    """
    known = reader.count()
    with progress.stage(description, _least(known, limit)) as advance:
        for number, sample in enumerate(islice(samples, limit), 1):
            yield sample
            if number % _EVERY == 0:
                advance(_EVERY, None if known is not None else _least(reader.expected(number), limit))


def expecting(
    samples: Iterable[Sample], reader: Reader, limit: int | None, expect: Callable[[int], None]
) -> Iterator[Sample]:
    """The same in a stage of somebody else, who is told now and then how many there are in all."""
    known = reader.count()
    if known is not None:
        expect(_least(known, limit) or known)
    for number, sample in enumerate(islice(samples, limit), 1):
        if known is None and number % _EVERY == 1 and (total := _least(reader.expected(number), limit)):
            expect(total)
        yield sample


def _least(known: int | None, limit: int | None) -> int | None:
    return min((number for number in (known, limit) if number is not None), default=None)
