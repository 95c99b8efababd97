"""Images that come as whole arrays, read as samples or at once."""

from collections.abc import Iterator

import numpy as np

from advtool.io import images
from advtool.io.head import Head
from advtool.io.readers import Arrays, Reader
from advtool.io.samples import Sample


class ArrayReader(Reader):
    """One pass over arrays in their own order; keys are the index with five digits.

    Parameters
    ----------
    pixels : uint8, or float32 in [0, 1]: N×C×H×W
    labels : integers, N
    name : of the source, for messages
    """

    def __init__(self, pixels: np.ndarray, labels: np.ndarray, head: Head, name: str):
        self._head, self._pixels, self._labels, self._name = head, pixels, labels, name

    @property
    def head(self) -> Head:
        return self._head

    def __iter__(self) -> Iterator[Sample]:
        encode, extension = (images.encode_png, "png") if self._pixels.dtype == np.uint8 else (images.encode_npy, "npy")
        for index, (pixels, label) in enumerate(zip(self._pixels, self._labels, strict=True)):
            members = {extension: encode(pixels), "cls": str(int(label)).encode()}
            yield Sample(f"{index:05d}", members, self._name)

    def count(self) -> int:
        return len(self._labels)

    def arrays(self) -> Arrays:
        keys = [f"{index:05d}" for index in range(len(self._labels))]
        return Arrays(self._pixels, self._labels.astype(np.int64), keys)
