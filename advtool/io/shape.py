"""The shape of an image."""

from collections.abc import Iterable

Shape = tuple[int, int, int]
"""(C, H, W)."""


def as_shape(numbers: Iterable[int]) -> Shape:
    """Three positive integers as a shape; ValueError or TypeError for anything else."""
    channels, height, width = map(int, numbers)
    if min(channels, height, width) < 1:
        raise ValueError("sizes must be positive")
    return channels, height, width


def shape_text(shape: Iterable[int]) -> str:
    """A shape in words: 3×32×32."""
    return "×".join(map(str, shape))
