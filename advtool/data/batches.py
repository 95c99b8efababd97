"""Batches on the device, from images in memory or from a stream."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from advtool import keyed
from advtool.data.arrays import Images, SampleChecker
from advtool.data.sources import Source
from advtool.io.head import Head

Batch = tuple[Tensor, Tensor, Tensor]
"""Pixels float32 in [0, 1] N×C×H×W, labels N, sample ids N."""

SHUFFLE_BUFFER = 10_000


class Batches(Protocol):
    """Training data that can be gone through in a new order each epoch.

    Attributes
    ----------
    head : with shape and classes
    n : number of samples an epoch, None if not known
    """

    head: Head
    n: int | None

    def epoch(self, epoch: int) -> Iterator[Batch]:
        """The batches of an epoch, in an order that depends on the seed and the epoch."""


def in_order(images: Images, batch_size: int, device: torch.device) -> Iterator[Batch]:
    """The images once, in their order."""
    ids = keyed.ids_of(images.keys)
    for start in range(0, len(images), batch_size):
        part = slice(start, start + batch_size)
        yield (
            to_float(torch.tensor(images.pixels[part], device=device)),
            torch.tensor(images.labels[part], device=device),
            ids[part].to(device),
        )


class MemoryBatches:
    """The whole dataset as one tensor on the device, uint8 or float32; batches are made by indexing."""

    def __init__(self, images: Images, batch_size: int, seed: int, device: torch.device):
        self.head, self.n = images.head, len(images)
        self._batch_size, self._seed = batch_size, seed
        self._pixels = torch.tensor(images.pixels, device=device)
        self._labels = torch.tensor(images.labels, device=device)
        self._ids = keyed.ids_of(images.keys).to(device)

    def epoch(self, epoch: int) -> Iterator[Batch]:
        generator = torch.Generator().manual_seed(keyed.derive(self._seed, "order", epoch))
        order = torch.randperm(self.n, generator=generator).to(self._labels.device)
        for index in order.split(self._batch_size):
            yield to_float(self._pixels[index]), self._labels[index], self._ids[index]


class StreamBatches:
    """A source read anew each epoch, shuffled in a buffer of 10,000 samples, decoded on threads."""

    def __init__(
        self,
        source: Source,
        head: Head,
        batch_size: int,
        seed: int,
        device: torch.device,
        limit: int | None = None,
        workers: int = 2,
    ):
        self.head, self.n = head, limit
        self._source, self._batch_size, self._seed = source, batch_size, seed
        self._device, self._limit, self._workers = device, limit, workers

    def epoch(self, epoch: int) -> Iterator[Batch]:
        from webdataset.filters import shuffle

        reader = self._source.open()
        check = SampleChecker(self.head)
        shuffled = shuffle(SHUFFLE_BUFFER, initial=SHUFFLE_BUFFER, seed=keyed.derive(self._seed, "order", epoch))
        samples = iter(shuffled(islice(iter(reader), self._limit)))
        count = 0
        with ThreadPoolExecutor(self._workers) as pool:
            while batch := list(islice(samples, self._batch_size)):
                decoded = list(pool.map(check, batch))
                count += len(batch)
                yield (
                    to_float(torch.from_numpy(np.stack([pixels for pixels, _ in decoded])).to(self._device)),
                    torch.tensor([label for _, label in decoded], device=self._device),
                    keyed.ids_of(sample.key for sample in batch).to(self._device),
                )
        self.n = count


def to_float(pixels: Tensor) -> Tensor:
    """uint8 to float32 in [0, 1]; float32 as it is."""
    return pixels.float().div_(255) if pixels.dtype == torch.uint8 else pixels
