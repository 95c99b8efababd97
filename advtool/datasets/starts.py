"""Where distillation starts: another image of the set, drawn once per sample by its key, or noise."""

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from advtool import keyed, seeds
from advtool.data.arrays import SampleChecker
from advtool.data.batches import to_float
from advtool.data.sources import Source
from advtool.errors import AdvtoolError
from advtool.io.head import Head
from advtool.io.samples import Sample

_HELD = 1 << 16
"""Starts that are held at most for samples that wait for their batch."""


class Starts(Protocol):
    """A start for each sample.

    Attributes
    ----------
    described : in words, for messages and for the record
    """

    @property
    def described(self) -> str: ...

    def __call__(self, keys: list[str]) -> tuple[Tensor, Sequence[str | None]]:
        """(pixels float32 in [0, 1], N×C×H×W; keys of the images that they are, None for noise)."""


GREY, DEVIATION = 0.5, 0.25
"""Mean and standard deviation of the pixels of Gaussian starts; Ilyas et al. 2019 (section 3.1) print neither."""


class Noise:
    """Gaussian around grey and clipped to [0, 1], or uniform in [0, 1]^d; of its own for each sample."""

    def __init__(self, shape: tuple[int, int, int], seed: int, uniform: bool = False):
        self._shape, self._seed, self._uniform = shape, seeds.derive(seed, "start"), uniform

    @property
    def described(self) -> str:
        return "uniform noise" if self._uniform else f"Gaussian noise of mean {GREY:g} and deviation {DEVIATION:g}"

    def __call__(self, keys: list[str]) -> tuple[Tensor, list[None]]:
        shape, ids = (len(keys), *self._shape), keyed.ids_of(keys)
        if self._uniform:
            return keyed.uniform(shape, ids, self._seed), [None] * len(keys)
        return (GREY + DEVIATION * keyed.normal(shape, ids, self._seed)).clamp(0, 1), [None] * len(keys)


class Pool:
    """Images in memory, of which each sample gets one that is not itself.

    It is a uniform sample of all that it was offered, at most `capacity` of them: those whose keys, hashed with the
    seed, are the smallest. Neither it nor a draw depends on the order of the images.
    """

    def __init__(self, capacity: int, seed: int, of: str = "the whole set"):
        self.capacity, self.offered, self._seed, self._of = capacity, 0, seed, of
        self._images: list[tuple[str, np.ndarray]] = []
        self._largest: list[tuple[int, int]] = []  # a heap of (−hash, place)
        self._order: list[int] | None = None
        self._held: dict[str, tuple[str, np.ndarray]] = {}

    def __len__(self) -> int:
        return len(self._images)

    @property
    def described(self) -> str:
        if self.offered <= len(self):
            return f"{self._of}, {len(self):,} images"
        return f"a random {len(self):,} of the images of {self._of}, which is what fits into memory"

    def offer(self, key: str, pixels: np.ndarray) -> None:
        """Take the image in, in the place of another if the pool is full, or not at all."""
        self.offered += 1
        rank, place = -seeds.derive(self._seed, "reservoir", key), len(self)
        if place < self.capacity:
            heapq.heappush(self._largest, (rank, place))
            self._images.append((key, pixels))
        elif rank > self._largest[0][0]:
            _, place = self._largest[0]
            heapq.heapreplace(self._largest, (rank, place))
            self._images[place] = (key, pixels)
        else:
            return
        self._order = None

    def hold(self, key: str) -> None:
        """Draw for a sample now, while the pool grows, whatever it will hold when the sample's batch is full."""
        if len(self._held) >= _HELD:
            del self._held[next(iter(self._held))]
        self._held[key] = self._start(key)

    def __call__(self, keys: list[str]) -> tuple[Tensor, list[str]]:
        drawn = [self._held.get(key) or self._start(key) for key in keys]
        self._held.clear()
        pixels = torch.from_numpy(np.stack([image for _, image in drawn]))
        return to_float(pixels), [key for key, _ in drawn]

    def _start(self, key: str) -> tuple[str, np.ndarray]:
        if self._order is None:
            self._order = sorted(range(len(self)), key=lambda place: self._images[place][0])
            self._ranks = {self._images[place][0]: rank for rank, place in enumerate(self._order)}
        return self._images[self._order[self._draw(key)]]

    def _draw(self, key: str) -> int:
        """Rank, in the order of the keys, of a sample's start."""
        draw, own = seeds.derive(self._seed, "start", key), self._ranks.get(key)
        if own is None:
            return draw % len(self)
        if len(self) == 1:
            raise AdvtoolError("a start is another image of the set, but there is only one; noise needs none")
        return (own + 1 + draw % (len(self) - 1)) % len(self)


@dataclass(frozen=True)
class Gathered:
    """Samples to go through, the pool of starts for them, and how many there are: None if that is not known."""

    samples: Iterator[Sample]
    pool: Pool
    n: int | None


def gather(
    source: Source, head: Head, samples: Iterable[Sample], limit: int | None, budget: float, seed: int
) -> Gathered:
    """Fill a pool from a source, within `budget` bytes of pixels.

    Where everything fits, the pool is the whole set. Where it does not, a source that can be read again is sampled
    in a first pass; from a pipe, the pool is a sample of what has been read so far.

    Parameters
    ----------
    head : of the source, with shape
    samples : the first pass over the source
    """
    check, kept = SampleChecker(head), []
    pool: Pool | None = None
    stream = islice(iter(samples), limit)
    for sample in stream:
        pixels = check(sample)[0]
        if pool is None:
            pool = Pool(_capacity(budget, pixels), seed)
        pool.offer(sample.key, pixels)
        if not source.repeatable:
            kept.append(sample)
            if pool.offered == pool.capacity:
                break
    if pool is None:
        raise AdvtoolError(f"{source.name}: no sample to start from")
    if source.repeatable:
        return Gathered(islice(iter(source.open()), limit), pool, pool.offered)
    n = pool.offered if pool.offered < pool.capacity else None
    return Gathered(_growing(kept, stream, pool, check), pool, n)


def pool_of(source: Source, shape: tuple[int, int, int], budget: float, seed: int) -> Pool:
    """A pool of the images of another source, within `budget` bytes of pixels.

    Raises
    ------
    AdvtoolError
        if there is none, or one is of another shape
    """
    reader, pool = source.open(), None
    check = SampleChecker(replace(reader.head, shape=shape))
    for sample in reader:
        pixels = check(sample)[0]
        if pool is None:
            pool = Pool(_capacity(budget, pixels), seed, f"{source.name} {source.split or ''}".strip())
        pool.offer(sample.key, pixels)
    if pool is None:
        raise AdvtoolError(f"{source.name}: no image to start from")
    return pool


def _capacity(budget: float, pixels: np.ndarray) -> int:
    """How many such images are held."""
    return max(int(budget // pixels.nbytes), 2)


def _growing(kept: list[Sample], rest: Iterable[Sample], pool: Pool, check: SampleChecker) -> Iterator[Sample]:
    """The samples, each with a start out of what was read up to it: how many are read ahead makes no difference."""
    for sample in kept:
        pool.hold(sample.key)
        yield sample
    for sample in rest:
        pool.offer(sample.key, check(sample)[0])
        pool.hold(sample.key)
        yield sample
