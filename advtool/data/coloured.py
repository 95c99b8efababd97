"""A source read in colour: its grey images with three equal channels, as torchvision reads all images."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from advtool.data.sources import Source
from advtool.io import images
from advtool.io.head import Head
from advtool.io.readers import Arrays, Listing, Reader
from advtool.io.samples import Sample


@dataclass(frozen=True)
class Coloured:
    """A source of which every image has three channels; those that have them keep their bytes."""

    whole: Source

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

    def open(self) -> "_ColouredReader":
        return _ColouredReader(self.whole.open())


class _ColouredReader(Reader):
    def __init__(self, reader: Reader):
        self._reader = reader

    @property
    def head(self) -> Head:
        head = self._reader.head
        return replace(head, shape=(3, *head.shape[1:])) if head.shape else head

    def __iter__(self) -> Iterator[Sample]:
        return map(_coloured, self._reader)

    def count(self) -> int | None:
        return self._reader.count()

    def expected(self, read: int) -> int | None:
        return self._reader.expected(read)

    def arrays(self) -> Arrays | None:
        whole = self._reader.arrays()
        return None if whole is None else whole._replace(pixels=_repeated(whole.pixels))

    def listing(self) -> Listing | None:
        whole = self._reader.listing()
        return None if whole is None else Listing(whole.keys, lambda number: _coloured(whole.read(number)))

    def close(self) -> None:
        self._reader.close()


def _coloured(sample: Sample) -> Sample:
    """As it is if it has colour already; else PNG, or .npy if it was that."""
    extension = sample.extension
    if sample.shape()[0] == 3:
        return sample
    encode = images.encode_npy if extension == images.FLOAT else images.encode_png
    kept = {name: data for name, data in sample.members.items() if name != extension}
    name = extension if extension == images.FLOAT else "png"
    return replace(sample, members={name: encode(_repeated(sample.pixels())), **kept})


def _repeated(pixels: np.ndarray) -> np.ndarray:
    """One channel, the third axis from the end, three times; three as they are."""
    return np.repeat(pixels, 3, axis=-3) if pixels.shape[-3] == 1 else pixels
