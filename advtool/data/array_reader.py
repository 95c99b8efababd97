"""Images that come as whole arrays, read as samples or at once."""

from collections.abc import Iterator

import numpy as np

from advtool.io import images
from advtool.io.head import Head
from advtool.io.samples import Sample


class ArrayReader:
    """One pass over arrays in their own order; keys are the index with five digits.

    Parameters
    ----------
    pixels : uint8, or float32 in [0, 1]: N×C×H×W
    labels : integers, N
    name : of the source, for messages
    """

    def __init__(self, pixels: np.ndarray, labels: np.ndarray, head: Head, name: str):
        self.head = head
        self._pixels, self._labels, self._name = pixels, labels, name

    def __iter__(self) -> Iterator[Sample]:
        encode, extension = (images.encode_png, "png") if self._pixels.dtype == np.uint8 else (images.encode_npy, "npy")
        for index, (pixels, label) in enumerate(zip(self._pixels, self._labels, strict=True)):
            members = {extension: encode(pixels), "cls": str(int(label)).encode()}
            yield Sample(f"{index:05d}", members, self._name)

    def arrays(self) -> tuple[np.ndarray, np.ndarray, list[str]]:
        """Pixels N×C×H×W, labels, and keys at once, past the encoding."""
        return self._pixels, self._labels.astype(np.int64), [f"{i:05d}" for i in range(len(self._labels))]
