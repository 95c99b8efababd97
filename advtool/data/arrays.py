"""A source as arrays in memory."""

from dataclasses import dataclass, replace
from itertools import chain, islice

import numpy as np

from advtool.data.sources import Reader, Source
from advtool.errors import AdvtoolError
from advtool.io import images
from advtool.io.head import Head, by
from advtool.io.samples import KNOWN_EXTENSIONS, Sample

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
    head : with `shape` and `num_classes` filled in
    name, split : of the source
    provenance : contents of the samples' .json members, where they have any
    """

    pixels: np.ndarray
    labels: np.ndarray
    keys: list[str]
    head: Head
    name: str
    split: str | None
    provenance: list[dict] | None = None

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
    reader = source.open()
    if hasattr(reader, "arrays"):
        provenance = None
        pixels, labels, keys = (part[:limit] for part in reader.arrays())
        if size:
            pixels = np.stack([_resized(image, size, source.name) for image in pixels])
        if pixels.nbytes > max_bytes:
            raise TooLarge(f"{source.name}: {pixels.nbytes / 2**30:.1f} GiB of pixels")
    else:
        pixels, labels, keys, provenance = _collect(source, reader, limit, max_bytes, size)
    head = complete(reader.head, tuple(pixels.shape[1:]), int(labels.max()))
    return Images(pixels, labels, keys, head, source.name, head.split or source.split, provenance)


class SampleChecker:
    """Decodes samples and holds them to one shape, one kind and one set of classes.

    With `sizes_differ` only the number of channels has to agree.
    """

    def __init__(self, head: Head, sizes_differ: bool = False):
        self._shape, self._classes, self._sizes_differ = head.shape, head.num_classes, sizes_differ
        self._dtype, self._first = None, None

    def __call__(self, sample: Sample) -> tuple[np.ndarray, int]:
        """(pixels C×H×W, label) of a sample."""
        pixels, label = sample.pixels(), sample.label
        members = sample.members.keys() & KNOWN_EXTENSIONS
        if self._first is None:
            self._first, self._dtype = sample.key, pixels.dtype
            self._shape = self._shape or pixels.shape
            self._members = members
        if len(pixels) == 1 and self._shape[0] == 3:
            pixels = np.repeat(pixels, 3, axis=0)
        if pixels.shape != self._shape and not (self._sizes_differ and len(pixels) == self._shape[0]):
            raise sample.fault(
                f"image is {by(pixels.shape)}, but those before it are {by(self._shape)}"
                " (advtool data --size N makes them one size)"
                if sample.key != self._first
                else f"image is {by(pixels.shape)}, but the head says {by(self._shape)}"
            )
        if pixels.dtype != self._dtype:
            raise sample.fault(f"image is {pixels.dtype}, but those before it are {self._dtype}")
        if members != self._members:
            raise sample.fault(f"has members {' '.join(sorted(members))}, others {' '.join(sorted(self._members))}")
        if self._classes is not None and label >= self._classes:
            raise sample.fault(f"label {label}, but there are {self._classes} classes")
        return pixels, label


def complete(head: Head, shape: tuple[int, int, int], max_label: int) -> Head:
    """Fill in what a stream did not say about itself; class names default to the label numbers."""
    num_classes = head.num_classes or max_label + 1
    classes = head.classes or tuple(str(label) for label in range(num_classes))
    return replace(head, shape=shape, num_classes=num_classes, classes=classes)


def _collect(source: Source, reader: Reader, limit: int | None, max_bytes: float, size: int | None):
    samples, head = iter(reader), reader.head
    if size:
        start = list(islice(samples, _LOOKED_AT))
        samples = chain(start, samples)
        head = replace(head, shape=(max(sample.shape()[0] for sample in start), size, size))
    check = SampleChecker(head, sizes_differ=size is not None)
    chunks, chunk, labels, keys, provenance, used = [], [], [], [], [], 0
    for sample in islice(samples, limit):
        pixels, label = check(sample)
        if size:
            pixels = _resized(pixels, size, f"{sample.shard}: sample '{sample.key}'")
        used += pixels.nbytes
        if used > max_bytes:
            raise TooLarge(f"{source.name}: more than {max_bytes / 2**30:.2g} GiB of pixels")
        chunk.append(pixels)
        labels.append(label)
        keys.append(sample.key)
        if "json" in sample.members:
            provenance.append(sample.provenance())
        if len(chunk) == _CHUNK:
            chunks.append(np.stack(chunk))
            chunk = []
    if chunk:
        chunks.append(np.stack(chunk))
    return np.concatenate(chunks), np.array(labels, np.int64), keys, provenance or None


def _resized(pixels: np.ndarray, size: int, where: str) -> np.ndarray:
    if pixels.dtype != np.uint8:
        raise AdvtoolError(f"{where}: float images are not resized")
    return images.resize(pixels, size)
