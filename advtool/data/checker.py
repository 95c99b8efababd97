"""Samples held to one shape, one kind and one set of classes."""

from dataclasses import dataclass

import numpy as np

from advtool.errors import AdvtoolError
from advtool.io.head import Head
from advtool.io.samples import KNOWN_EXTENSIONS, Sample
from advtool.io.shape import Shape, shape_text
from advtool.preprocessing import Preprocessing


@dataclass(frozen=True)
class _Expected:
    """What the head, or else the first sample, says that all samples are like."""

    first: str
    shape: Shape
    dtype: np.dtype
    members: frozenset[str]


class SampleChecker:
    """Decodes samples and holds them to what the head says, and to the first of them.

    With `sizes_differ` only the number of channels has to agree; so too with `preprocessing`, which makes the images
    of the shape that the head says.
    """

    def __init__(self, head: Head, sizes_differ: bool = False, preprocessing: Preprocessing | None = None):
        self._head, self._preprocessing = head, preprocessing
        self._sizes_differ = sizes_differ or preprocessing is not None
        self._expected: _Expected | None = None

    def __call__(self, sample: Sample) -> tuple[np.ndarray, int]:
        """(pixels C×H×W, label) of a sample."""
        pixels, label = sample.pixels(), sample.label
        members = frozenset(sample.members.keys() & KNOWN_EXTENSIONS) - {sample.extension}
        expected = self._expected or self._establish(sample, pixels, members)
        if len(pixels) == 1 and expected.shape[0] == 3:
            pixels = np.repeat(pixels, 3, axis=0)
        fits = pixels.shape == expected.shape or (self._sizes_differ and len(pixels) == expected.shape[0])
        if not fits and sample.key == expected.first:
            raise sample.fault(f"image is {shape_text(pixels.shape)}, but the head says {shape_text(expected.shape)}")
        if not fits:
            found, others = shape_text(pixels.shape), shape_text(expected.shape)
            raise sample.fault(f"image is {found}, but those before it are {others} ({self._way(pixels, expected)})")
        if pixels.dtype != expected.dtype:
            raise sample.fault(f"image is {pixels.dtype}, but those before it are {expected.dtype}")
        if members != expected.members:
            raise sample.fault(f"has members {' '.join(sorted(members))}, others {' '.join(sorted(expected.members))}")
        if self._head.num_classes is not None and label >= self._head.num_classes:
            raise sample.fault(f"label {label}, but there are {self._head.num_classes} classes")
        if self._preprocessing is None:
            return pixels, label
        try:
            return self._preprocessing(pixels), label
        except AdvtoolError as error:
            raise sample.fault(str(error)) from None

    def _way(self, pixels: np.ndarray, expected: _Expected) -> str:
        """What makes images alike, in words."""
        if len(pixels) == expected.shape[0]:
            return "advtool data --size N makes them one size"
        size = "" if self._sizes_differ or pixels.shape[1:] == expected.shape[1:] else " --size N"
        return f"colour among grey: `advtool data SOURCE --colour{size} -o NEW.tar` makes all colour"

    def _establish(self, sample: Sample, pixels: np.ndarray, members: frozenset[str]) -> _Expected:
        """Expect others to be like this sample."""
        self._expected = _Expected(sample.key, self._head.shape or pixels.shape, pixels.dtype, members)
        return self._expected
