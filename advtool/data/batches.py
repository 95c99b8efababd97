"""Batches on the device, from images in memory or from a stream."""

import math
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import islice
from typing import Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor

from advtool import keyed, seeds
from advtool.data.arrays import Images
from advtool.data.checker import SampleChecker
from advtool.data.crops import random_resized_crop
from advtool.data.sources import Source
from advtool.io.head import CompleteHead
from advtool.io.readers import Reader
from advtool.io.samples import Sample
from advtool.preprocessing import Preprocessing

Batch = tuple[Tensor, Tensor, Tensor]
"""Pixels float32 in [0, 1] N×C×H×W, labels N, sample ids N."""

SHUFFLE_BUFFER = 10_000

_Read = Callable[[], Sample]
_Decoded = tuple[np.ndarray, int, str]
"""Pixels, label, key."""
_Item = TypeVar("_Item")


class Batches(Protocol):
    """Training data that can be gone through in a new order each epoch.

    Attributes
    ----------
    head : with shape and classes
    n : number of samples per epoch, None if not known
    """

    @property
    def head(self) -> CompleteHead: ...

    @property
    def n(self) -> int | None: ...

    def epoch(self, epoch: int) -> Iterator[Batch]:
        """The batches of an epoch, in an order that depends on the seed and the epoch."""


def in_order(loaded: Images, batch_size: int, device: torch.device) -> Iterator[Batch]:
    """The images once, in their order."""
    ids = keyed.ids_of(loaded.keys)
    for start in range(0, len(loaded), batch_size):
        part = slice(start, start + batch_size)
        yield (
            to_float(torch.tensor(loaded.pixels[part], device=device)),
            torch.tensor(loaded.labels[part], device=device),
            ids[part].to(device),
        )


class MemoryBatches:
    """The whole dataset as one tensor on the device, uint8 or float32; batches are made by indexing."""

    def __init__(self, loaded: Images, batch_size: int, seed: int, device: torch.device):
        self.head, self.n = loaded.head, len(loaded)
        self._batch_size, self._seed = batch_size, seed
        self._pixels = torch.tensor(loaded.pixels, device=device)
        self._labels = torch.tensor(loaded.labels, device=device)
        self._ids = keyed.ids_of(loaded.keys).to(device)

    def epoch(self, epoch: int) -> Iterator[Batch]:
        generator = torch.Generator().manual_seed(seeds.derive(self._seed, "order", epoch))
        order = torch.randperm(self.n, generator=generator).to(self._labels.device)
        sizes = [len(places) for places in grouped(iter(range(self.n)), self._batch_size)]
        for index in order.split(sizes):
            yield to_float(self._pixels[index]), self._labels[index], self._ids[index]


class StreamBatches:
    """A source read anew each epoch, decoded on threads one batch ahead.

    Class folders are shuffled as a whole, other sources in a buffer of 10,000 samples.

    Parameters
    ----------
    limit : use the first so many samples
    size : scale images to this side: by random-resized crops if `random_crop`, else the centre; None for as they are
    """

    def __init__(
        self,
        source: Source,
        head: CompleteHead,
        batch_size: int,
        seed: int,
        device: torch.device,
        limit: int | None = None,
        workers: int = 2,
        size: int | None = None,
        random_crop: bool = False,
    ):
        self.head = head
        self.n: int | None = limit
        self._source, self._batch_size, self._seed = source, batch_size, seed
        self._device, self._limit, self._workers = device, limit, workers
        self._size, self._random_crop = size, random_crop

    def epoch(self, epoch: int) -> Iterator[Batch]:
        decode = self._decoder(epoch)
        count = 0
        ahead: deque[list[Future[_Decoded]]] = deque()
        with self._source.open() as reader, ThreadPoolExecutor(self._workers) as pool:
            samples = self._shuffled(reader, seeds.derive(self._seed, "order", epoch))
            groups = grouped(samples, self._batch_size)
            while True:
                while len(ahead) < 2 and (batch := next(groups, None)):
                    ahead.append([pool.submit(decode, read) for read in batch])
                if not ahead:
                    break
                decoded = [future.result() for future in ahead.popleft()]
                count += len(decoded)
                yield (
                    to_float(torch.from_numpy(np.stack([pixels for pixels, _, _ in decoded])).to(self._device)),
                    torch.tensor([label for _, label, _ in decoded], device=self._device),
                    keyed.ids_of(key for _, _, key in decoded).to(self._device),
                )
        self.n = count

    def _shuffled(self, reader: Reader, seed: int) -> Iterator[_Read]:
        """The samples in random order: as a whole where the reader lists them, else in a buffer."""
        if listing := reader.listing():
            order = np.random.default_rng(seed).permutation(len(listing.keys[: self._limit]))
            return (partial(listing.read, int(index)) for index in order)
        from webdataset.filters import shuffle

        shuffled = shuffle(SHUFFLE_BUFFER, initial=SHUFFLE_BUFFER, seed=seed)
        return (partial(_already_read, sample) for sample in shuffled(islice(iter(reader), self._limit)))

    def _decoder(self, epoch: int) -> Callable[[_Read], _Decoded]:
        check = SampleChecker(self.head, sizes_differ=self._size is not None)
        seed = seeds.derive(self._seed, "crop", epoch)

        def decode(read: _Read) -> _Decoded:
            sample = read()
            pixels, label = check(sample)
            if self._size and self._random_crop:
                pixels = random_resized_crop(pixels, self._size, sample.key, seed)
            elif self._size:
                pixels = Preprocessing(self._size)(pixels)
            return pixels, label, sample.key

        return decode


def _already_read(sample: Sample) -> Sample:
    return sample


def grouped(items: Iterator[_Item], size: int) -> Iterator[list[_Item]]:
    """Lists of `size` items. A last one alone joins the list before it: BatchNorm cannot train on a single image."""
    group = list(islice(items, size))
    while group:
        following = list(islice(items, size))
        if len(following) == 1 < size:
            group, following = group + following, []
        yield group
        group = following


def number_of_groups(n: int, size: int) -> int:
    """How many lists `grouped` makes of `n` items."""
    return math.ceil(n / size) - (n % size == 1 < size < n)


def to_float(pixels: Tensor) -> Tensor:
    """uint8 to float32 in [0, 1]; float32 as it is."""
    return pixels.float().div_(255) if pixels.dtype == torch.uint8 else pixels
