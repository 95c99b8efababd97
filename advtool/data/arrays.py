"""A source as arrays in memory."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np

from advtool.data import exchange
from advtool.data.beginning import begin, needed
from advtool.data.checker import SampleChecker
from advtool.data.exchange import own_samples
from advtool.data.matching import Matching, match
from advtool.data.sources import Source
from advtool.data.watching import watched
from advtool.errors import AdvtoolError
from advtool.io.head import CompleteHead, complete
from advtool.io.readers import Arrays
from advtool.io.samples import Sample
from advtool.launchers import ALONE, Processes
from advtool.preprocessing import Preprocessing

__all__ = ["Images", "SampleChecker", "TooLarge", "complete", "load"]

_CHUNK = 4096


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
    matched : how the labels came from the source's own, where they are those of a model
    preprocessing : how they were resized, if they were
    """

    pixels: np.ndarray
    labels: np.ndarray
    keys: list[str]
    head: CompleteHead
    name: str
    split: str | None
    provenance: list[dict | None] | None = None
    matched: Matching | None = None
    preprocessing: Preprocessing | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: np.ndarray) -> "Images":
        """The samples at these indices, in this order."""
        keys = [self.keys[i] for i in indices]
        provenance = self.provenance and [self.provenance[i] for i in indices]
        return replace(self, pixels=self.pixels[indices], labels=self.labels[indices], keys=keys, provenance=provenance)

    def joined(self, other: "Images") -> "Images":
        """These images and then others of the same source."""
        return replace(
            self,
            pixels=np.concatenate([self.pixels, other.pixels]),
            labels=np.concatenate([self.labels, other.labels]),
            keys=[*self.keys, *other.keys],
            provenance=None,
        )

    def matched_to(self, known: tuple[str, ...]) -> "Images":
        """The images with the labels of a model that knows these classes; what provenance says is left as it is.

        Raises
        ------
        ClassMismatch
            if the model does not know all classes of the images
        """
        matching = match(self.head.classes, known)
        head = replace(self.head, classes=known, num_classes=len(known))
        return replace(self, labels=matching(self.labels), head=head, matched=matching)


def load(
    source: Source,
    limit: int | None = None,
    max_bytes: float = float("inf"),
    preprocessing: Preprocessing | None = None,
    here: Processes = ALONE,
) -> Images:
    """Read a source into memory.

    Parameters
    ----------
    limit : read only the first so many samples
    max_bytes : of pixels
    preprocessing : how to resize 8-bit images; None to leave all as they are
    here : one of several processes, all of which read the source: each decodes its part, and has all in the end

    Raises
    ------
    TooLarge
        if the pixels need more than `max_bytes`
    AdvtoolError
        naming the sample, if images differ in shape or kind, or a label does not fit the classes
    """
    with source.open() as reader:
        if arrays := reader.arrays():
            preprocessing = needed(arrays.pixels.shape[1:], preprocessing)
            found, provenance = whole(arrays.take(slice(limit)), max_bytes, preprocessing, source.name), None
        else:
            begun = begin(reader, preprocessing)
            preprocessing = begun.preprocessing
            check = SampleChecker(begun.head, preprocessing=preprocessing)
            samples = watched("reading images", begun.samples, reader, limit)
            if here.world == 1:
                found, provenance = collected(samples, check, max_bytes, source.name)
            else:
                own = own_samples(reader, samples, limit, here)
                found, provenance = _shared(own, check, max_bytes, source.name, here)
        head = complete(reader.head, found.pixels.shape[1:], int(found.labels.max()))
    made = Images(*found, head, source.name, head.split or source.split, provenance)
    return replace(made, preprocessing=preprocessing)


def _shared(
    own: Iterable[Sample], check: SampleChecker, max_bytes: float, name: str, here: Processes
) -> tuple[Arrays, list[dict | None] | None]:
    """All samples, of which `own` are decoded here; TooLarge in every process if one has too many bytes."""
    failure = None
    part: tuple[Arrays, list[dict | None] | None] = Arrays(np.empty(0), np.empty(0, np.int64), []), None
    try:
        if first := next(samples := iter(own), None):
            part = collected(chain([first], samples), check, max_bytes / here.world, name)
    except TooLarge as error:
        failure = error
    if not exchange.agreed(failure):
        raise TooLarge(f"{name}: more than {max_bytes / 2**30:.2g} GiB of pixels")
    return exchange.together(*part, here)


def whole(arrays: Arrays, max_bytes: float, preprocessing: Preprocessing | None, name: str) -> Arrays:
    """Arrays as they are resized; TooLarge for more than `max_bytes`."""
    if preprocessing:
        try:
            arrays = arrays._replace(pixels=np.stack([preprocessing(image) for image in arrays.pixels]))
        except AdvtoolError as error:
            raise AdvtoolError(f"{name}: {error}") from None
    if arrays.pixels.nbytes > max_bytes:
        raise TooLarge(f"{name}: {arrays.pixels.nbytes / 2**30:.1f} GiB of pixels")
    return arrays


def collected(
    samples: Iterable[Sample], check: SampleChecker, max_bytes: float, name: str
) -> tuple[Arrays, list[dict | None] | None]:
    """(the samples as arrays, contents of their .json members); TooLarge for pixels of more than `max_bytes`."""
    chunks: list[np.ndarray] = []
    chunk: list[np.ndarray] = []
    labels: list[int] = []
    keys: list[str] = []
    provenance: list[dict | None] = []
    used = 0
    for sample in samples:
        pixels, label = check(sample)
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
