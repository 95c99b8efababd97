"""A part of the training images held out, decided by each sample's key alone.

So a sample is held out whatever the order, the sharding or the seed: runs with several seeds, and a run that starts
from another's checkpoint, hold out the same ones.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from advtool import keyed, seeds
from advtool.data.arrays import Images
from advtool.data.sources import Source
from advtool.errors import UsageError
from advtool.io.head import Head
from advtool.io.readers import Arrays, Listing, Reader
from advtool.io.samples import Sample

_SEED = seeds.derive(0, "validation")


def is_held_out(keys: Sequence[str], fraction: float) -> np.ndarray:
    """Whether each key is held out: bool, N; about `fraction` of them are."""
    return (keyed.uniform((len(keys), 1), keyed.ids_of(keys), _SEED)[:, 0] < fraction).numpy()


def split(images: Images, fraction: float) -> tuple[Images, Images]:
    """(images to train on, images held out).

    Raises
    ------
    UsageError
        if one of them is empty
    """
    held_out = is_held_out(images.keys, fraction)
    check(int(held_out.sum()), len(images), fraction)
    return images.take(np.flatnonzero(~held_out)), images.take(np.flatnonzero(held_out))


def check(held_out: int, n: int, fraction: float) -> None:
    """Refuse a fraction that leaves nothing on one side."""
    if not 0 < held_out < n:
        raise UsageError(f"of {n:,} images {held_out:,} would be held out", parameter="val", value=f"{fraction:g}")


@dataclass(frozen=True)
class Part:
    """A source of which only the samples that are held out are read, or only the others.

    Attributes
    ----------
    limit : read the first so many samples of the whole source
    """

    whole: Source
    fraction: float
    held_out: bool
    limit: int | None = None

    @property
    def name(self) -> str:
        return self.whole.name

    @property
    def split(self) -> str | None:
        return self.whole.split

    @property
    def splits(self) -> tuple[str, ...]:
        return self.whole.splits

    @property
    def layout(self) -> str | None:
        return self.whole.layout

    @property
    def repeatable(self) -> bool:
        return self.whole.repeatable

    def open(self) -> "_PartReader":
        return _PartReader(self.whole.open(), self)


class _PartReader(Reader):
    """Knows what the reader of the whole source knows, of its own samples."""

    def __init__(self, reader: Reader, part: Part):
        self._reader, self._part = reader, part

    @property
    def head(self) -> Head:
        return self._reader.head

    def __iter__(self) -> Iterator[Sample]:
        samples = iter(self._reader)
        return (sample for sample in islice(samples, self._part.limit) if len(self._kept([sample.key])))

    def count(self) -> int | None:
        known = self.listing() or self.arrays()
        return None if known is None else len(known.keys)

    def arrays(self) -> Arrays | None:
        whole = self._reader.arrays()
        return None if whole is None else whole.take(self._kept(whole.keys[: self._part.limit]))

    def listing(self) -> Listing | None:
        whole = self._reader.listing()
        return None if whole is None else whole.take(self._kept(whole.keys[: self._part.limit]))

    def close(self) -> None:
        self._reader.close()

    def _kept(self, keys: Sequence[str]) -> np.ndarray:
        """Indices of the keys that belong to the part."""
        return np.flatnonzero(is_held_out(keys, self._part.fraction) == self._part.held_out)
