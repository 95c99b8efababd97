"""Pixels as floats: they lie in [0, 1], but for what rounding does to them."""

from typing import Any

import numpy as np

from advtool.errors import AdvtoolError

ROUNDING = 1e-6
"""How far beyond [0, 1] a pixel may lie: eight steps of float32 at 1. It is moved to the end that it is beyond."""


def in_unit(pixels: np.ndarray) -> np.ndarray:
    """The pixels with those that are out of [0, 1] by rounding clipped; the same array where there are none.

    Raises
    ------
    AdvtoolError
        with the range of the pixels, if it is another; the message lacks the place, which the caller knows
    """
    least, most = pixels.min(), pixels.max()
    if not (least >= -ROUNDING and most <= 1 + ROUNDING):
        raise AdvtoolError(f"pixels must lie in [0, 1], found {_shown(least)} to {_shown(most)}{_hint(least, most)}")
    return pixels if least >= 0 and most <= 1 else pixels.clip(0, 1)


def _shown(value: Any) -> str:
    """A number to six digits, or to as many as tell it from 0 and 1."""
    short = f"{value:g}"
    return short if value == float(short) or float(short) not in (0, 1) else str(value)


def _hint(least: Any, most: Any) -> str:
    return "; divide them by 255" if least >= 0 and 2 <= most <= 255 else ""
