"""A source in parts that fit into memory, one after another."""

import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, islice
from typing import Self

from advtool import distributed
from advtool.data.arrays import Images, collected, whole
from advtool.data.beginning import begin, needed
from advtool.data.checker import SampleChecker
from advtool.data.exchange import own_samples
from advtool.data.sources import Source
from advtool.data.watching import watched
from advtool.errors import AdvtoolError
from advtool.io import images
from advtool.io.head import complete
from advtool.io.readers import Arrays
from advtool.io.samples import Sample
from advtool.io.shape import Shape
from advtool.launchers import ALONE, Processes
from advtool.preprocessing import Preprocessing

BYTES = 256 << 20
"""Of pixels in one part."""


class Parts:
    """One pass over a source; what the first image is like is known before the others are decoded.

    Parameters
    ----------
    limit : read only the first so many samples
    preprocessing : how to resize 8-bit images
    step : parts are multiples of so many images
    max_bytes : of the pixels of a part, at least of one step; None for all in one
    here : one of several processes, each of which decodes every so many-th image, in one part

    Attributes
    ----------
    head : of the source, with the shape that images have in the end
    n : number of images, once it is known
    expected : the same, about, as long as it is not
    """

    def __init__(
        self,
        source: Source,
        limit: int | None = None,
        preprocessing: Preprocessing | None = None,
        step: int = 1,
        max_bytes: int | None = BYTES,
        here: Processes = ALONE,
    ):
        self._source, self._limit, self._step, self._here = source, limit, step, here
        self._max_bytes = max_bytes if here.world == 1 else None
        self._reader = source.open()
        self._arrays = self._reader.arrays()
        count = self._reader.count()
        self.n = None if count is None else min(count, limit or count)
        self.expected = self.n
        if self._arrays:
            own = self._arrays.pixels.shape[1:]
            self._preprocessing = needed(own, preprocessing)
            shape: Shape = self._preprocessing.shape(own[0]) if self._preprocessing else own
            self.head = replace(self._reader.head, shape=shape)
        else:
            self._begun = begin(self._reader, preprocessing)
            self._preprocessing, self.head = self._begun.preprocessing, self._begun.head

    @property
    def shape(self) -> Shape:
        """Of every image in the end."""
        assert self.head.shape is not None
        return self.head.shape

    def __iter__(self) -> Iterator[Images]:
        """The parts; those that come as arrays are one."""
        here = self._here
        if self._arrays:
            n = len(range(len(self._arrays.keys))[: self._limit])
            found = self._arrays.take(slice(here.rank, n, here.world))
            self._check_any(len(found.keys))
            yield self._images(whole(found, math.inf, self._preprocessing, self._source.name), None)
            return
        samples = watched("reading images", self._begun.samples, self._reader, self._limit)
        if here.world > 1:
            samples = own_samples(self._reader, samples, self._limit, here)
        check, read = SampleChecker(self.head, preprocessing=self._preprocessing), 0
        first: Sample | None = next(samples, None)
        self._check_any(first is not None)
        components = math.prod(self.shape) * (4 if first and first.extension == images.FLOAT else 1)
        size = None
        if self._max_bytes is not None:
            size = max(self._step, self._max_bytes // components // self._step * self._step)
        while first:
            part = islice(chain([first], samples), size)
            found, provenance = collected(part, check, math.inf, self._source.name)
            read, first = read + len(found.keys), next(samples, None)
            self.expected = self.n
            if not first:
                self.n = self.expected = read
            elif self.n is None and (about := self._reader.expected(read)):
                self.expected = min(about, self._limit or about)
            yield self._images(found, provenance)

    def _check_any(self, some: int) -> None:
        """Raise AdvtoolError, in every process, if one has no image."""
        if not all(distributed.gathered(bool(some)) if self._here.world > 1 else [some]):
            raise AdvtoolError(f"{self._source.name}: fewer images than the {self._here.world} processes")

    def _images(self, found: Arrays, provenance: list[dict | None] | None) -> Images:
        largest = int(found.labels.max())
        if self._here.world > 1:  # labels without names are as many as there are in all
            largest = max(distributed.gathered(largest))
        head = complete(self._reader.head, self.shape, largest)
        split = head.split or self._source.split
        return Images(*found, head, self._source.name, split, provenance, preprocessing=self._preprocessing)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._reader.close()
