"""A source as arrays in memory."""

from dataclasses import dataclass, replace
from itertools import chain, islice

import numpy as np

from advtool.data.checker import SampleChecker
from advtool.data.sources import Source
from advtool.errors import AdvtoolError
from advtool.io import images
from advtool.io.head import CompleteHead, complete
from advtool.io.readers import Arrays, Reader

__all__ = ["Images", "SampleChecker", "TooLarge", "complete", "load"]

_CHUNK = 4096
_LOOKED_AT = 64


class TooLarge(AdvtoolError):
    """The source does not fit into the memory that it was given."""


@dataclass(frozen=True)
class Images:
    """Labelled images in memory.

    Attributes
    ----------
    pixels : uint8 in 0..255 or float32 in [0, 1], N×C×H×W
    labels : int64, N
    keys : sample keys, N
    head : of the source, complete
    name, split : of the source
    provenance : contents of the samples' .json members, where they have any; None for one that is no object
    """

    pixels: np.ndarray
    labels: np.ndarray
    keys: list[str]
    head: CompleteHead
    name: str
    split: str | None
    provenance: list[dict | None] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: np.ndarray) -> "Images":
        """The samples at these indices, in this order."""
        keys = [self.keys[i] for i in indices]
        provenance = self.provenance and [self.provenance[i] for i in indices]
        return replace(self, pixels=self.pixels[indices], labels=self.labels[indices], keys=keys, provenance=provenance)


def load(source: Source, limit: int | None = None, max_bytes: float = float("inf"), size: int | None = None) -> Images:
    """Read a source into memory.

    Parameters
    ----------
    limit : read only the first so many samples
    max_bytes : of pixels
    size : scale the shorter side of 8-bit images to this and crop the centre square; None for as they are

    Raises
    ------
    TooLarge
        if the pixels need more than `max_bytes`
    AdvtoolError
        naming the sample, if images differ in shape or kind, or a label does not fit the classes
    """
    with source.open() as reader:
        if arrays := reader.arrays():
            found, provenance = _whole(arrays.take(slice(limit)), max_bytes, size, source.name), None
        else:
            found, provenance = _collected(reader, limit, max_bytes, size, source.name)
        head = complete(reader.head, found.pixels.shape[1:], int(found.labels.max()))
    return Images(*found, head, source.name, head.split or source.split, provenance)


def _whole(arrays: Arrays, max_bytes: float, size: int | None, name: str) -> Arrays:
    if size:
        arrays = arrays._replace(pixels=np.stack([_resized(image, size, name) for image in arrays.pixels]))
    if arrays.pixels.nbytes > max_bytes:
        raise TooLarge(f"{name}: {arrays.pixels.nbytes / 2**30:.1f} GiB of pixels")
    return arrays


def _collected(
    reader: Reader, limit: int | None, max_bytes: float, size: int | None, name: str
) -> tuple[Arrays, list[dict | None] | None]:
    """(the samples, contents of their .json members)."""
    samples, head = iter(reader), reader.head
    if size:
        start = list(islice(samples, _LOOKED_AT))
        samples = chain(start, samples)
        head = replace(head, shape=(max(sample.shape()[0] for sample in start), size, size))
    check = SampleChecker(head, sizes_differ=size is not None)
    chunks: list[np.ndarray] = []
    chunk: list[np.ndarray] = []
    labels: list[int] = []
    keys: list[str] = []
    provenance: list[dict | None] = []
    used = 0
    for sample in islice(samples, limit):
        pixels, label = check(sample)
        if size:
            pixels = _resized(pixels, size, f"{sample.shard}: sample '{sample.key}'")
        used += pixels.nbytes
        if used > max_bytes:
            raise TooLarge(f"{name}: more than {max_bytes / 2**30:.2g} GiB of pixels")
        chunk.append(pixels)
        labels.append(label)
        keys.append(sample.key)
        if "json" in sample.members:
            provenance.append(sample.facts())
        if len(chunk) == _CHUNK:
            chunks.append(np.stack(chunk))
            chunk = []
    if chunk:
        chunks.append(np.stack(chunk))
    return Arrays(np.concatenate(chunks), np.array(labels, np.int64), keys), provenance or None


def _resized(pixels: np.ndarray, size: int, where: str) -> np.ndarray:
    if pixels.dtype != np.uint8:
        raise AdvtoolError(f"{where}: float images are not resized")
    return images.resize(pixels, size)
