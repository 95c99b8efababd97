"""Batches on the device, from images in memory; `streamed` makes them of what does not fit."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Protocol, TypeVar

import torch
from torch import Tensor

from advtool import keyed, seeds
from advtool.data.arrays import Images
from advtool.data.portions import portion
from advtool.io.head import CompleteHead
from advtool.launchers import ALONE, Processes

Batch = tuple[Tensor, Tensor, Tensor]
"""Pixels float32 in [0, 1] N×C×H×W, labels N, sample ids N."""

_Item = TypeVar("_Item")


class Batches(Protocol):
    """Training data that can be gone through in a new order each epoch.

    Attributes
    ----------
    head : with shape and classes
    n : number of samples per epoch, None if not known
    sizes : of the batches of an epoch, None if not known
    """

    @property
    def head(self) -> CompleteHead: ...

    @property
    def n(self) -> int | None: ...

    @property
    def sizes(self) -> Sequence[int] | None: ...

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """This process's part of each batch of an epoch, in an order that depends on the seed and the epoch.

        Parameters
        ----------
        start : number of the first batch, from 0; those before it are passed over
        """


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
    """The whole dataset as one tensor on the device, uint8 or float32; batches are made by indexing.

    Parameters
    ----------
    here : which of several processes this one is
    """

    def __init__(self, loaded: Images, batch_size: int, seed: int, device: torch.device, here: Processes = ALONE):
        self.head, self.n = loaded.head, len(loaded)
        self.sizes = sizes_of(self.n, batch_size)
        self._seed, self._here = seed, here
        self._pixels = torch.tensor(loaded.pixels, device=device)
        self._labels = torch.tensor(loaded.labels, device=device)
        self._ids = keyed.ids_of(loaded.keys).to(device)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        generator = torch.Generator().manual_seed(seeds.derive(self._seed, "order", epoch))
        order = torch.randperm(self.n, generator=generator).to(self._labels.device)
        for whole in order.split(self.sizes)[start:]:
            index = whole[portion(len(whole), self._here)]
            yield to_float(self._pixels[index]), self._labels[index], self._ids[index]


def sizes_of(n: int, size: int, fewest: int = 2) -> list[int]:
    """The sizes of the batches of `n` images, as `grouped` makes them.

    Parameters
    ----------
    fewest : a last batch of fewer joins the one before it
    """
    sizes = [size] * (n // size) + ([n % size] if n % size else [])
    if len(sizes) > 1 and sizes[-1] < min(fewest, size):
        last = sizes.pop()
        sizes[-1] += last
    return sizes


def grouped(items: Iterator[_Item], size: int) -> Iterator[list[_Item]]:
    """Lists of `size` items. A last one alone joins the list before it: BatchNorm cannot train on a single image."""
    group = list(islice(items, size))
    while group:
        following = list(islice(items, size))
        if len(following) == 1 < size:
            group, following = group + following, []
        yield group
        group = following


def to_float(pixels: Tensor) -> Tensor:
    """uint8 to float32 in [0, 1]; float32 as it is."""
    return pixels.float().div_(255) if pixels.dtype == torch.uint8 else pixels
