"""The shape of an image."""

from collections.abc import Iterable

Shape = tuple[int, int, int]
"""(C, H, W)."""


def shape_text(shape: Iterable[int]) -> str:
    """A shape in words: 3×32×32."""
    return "×".join(map(str, shape))
