"""Gaussian noise that floating point does not spoil: whole numbers on the grid of the pixels.

A bound of randomised smoothing is about x + N(0, σ²I) in real numbers. In floating point the sum is rounded, more or
less finely depending on x, and a network may see which: bounds can be wrong then (Voráček and Hein 2023; Jin et al.
2022, https://arxiv.org/abs/2205.10159). Here the network is given the sum rounded to the grid of the pixels, which is a
part of the classifier that is smoothed. Of an image on the grid, round(x + g) = x + round(g), exactly and in whole
numbers, and what is drawn is round(g).
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from scipy.special import ndtr
from torch import Tensor

from advtool import keyed

BYTES, WORDS = 255, 65535
"""Steps from black to white of the grid for 8-bit images, and of the one for others."""

_BITS = 63
_KNOWN_BITS = 16
"""Of a number, which mostly decide what is drawn."""

_ULPS = 8
"""By how many units in the last place a value of scipy's `ndtr` may be off: twice what tests find."""


@dataclass(frozen=True)
class GridNoise:
    """N(0, σ²) rounded to whole steps of a grid.

    Attributes
    ----------
    sigma : standard deviation on the [0, 1] pixel scale
    levels : steps from 0 to 1
    """

    sigma: float
    levels: int = BYTES

    @cached_property
    def _ends(self) -> np.ndarray:
        """(j − ½)/(σ·levels) for j = 1, 2, … until there is nothing beyond: float64."""
        scale = self.sigma * self.levels
        found: np.ndarray = (np.arange(1, math.ceil(9.5 * scale) + 2) - 0.5) / scale
        return found

    @cached_property
    def tail(self) -> np.ndarray:
        """P(|round(g)| ≥ j) for j = 1, 2, … as whole multiples of 2⁻⁶³, falling to 0: int64."""
        return np.floor(2 * ndtr(-self._ends) * 2.0**_BITS).astype(np.int64)

    @cached_property
    def errors(self) -> np.ndarray:
        """By how much each of `tail` may be off as a probability: scipy's rounding, that of where it ends, and 2⁻⁶³."""
        rounding = (_ULPS + self._ends**2) * np.finfo(np.float64).eps
        return np.ldexp(self.tail.astype(np.float64), -_BITS) * rounding + 2.0**-_BITS

    def margin(self, components: int) -> float:
        """Most that the probability of anything differs from that under exact noise, in so many components.

        The total variation distance: half the sum of the errors of the probabilities of single values, each the
        difference of two of `tail`, times the number of components.
        """
        return float(components * self.errors.sum())

    def draw(self, shape: tuple[int, ...], ids: Tensor, seed: int) -> Tensor:
        """Noise in steps of the grid: int64, N×…; row n depends on ids[n], the seed and the row's shape."""
        bits = keyed.bits(shape, ids, seed).flatten()
        uniform = (bits >> 1) & ((1 << _BITS) - 1)
        rising, known = self._tables(ids.device)
        above = known[uniform >> (_BITS - _KNOWN_BITS)].long()
        unknown = (above < 0).nonzero()[:, 0]
        above[unknown] = torch.searchsorted(rising, uniform[unknown], right=True)
        size = len(rising) - above
        return torch.where(bits & 1 == 0, size, -size).view(shape)

    def _tables(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """(`tail` from its end; how many of its values each beginning of a number is not below, −1 where that depends
        on the rest of the number)."""
        if device not in self._kept:
            rising = torch.from_numpy(self.tail[::-1].copy()).to(device)
            first = torch.arange(1 << _KNOWN_BITS, device=device) << (_BITS - _KNOWN_BITS)
            last = first + ((1 << (_BITS - _KNOWN_BITS)) - 1)
            low, high = (torch.searchsorted(rising, edge, right=True) for edge in (first, last))
            self._kept[device] = rising, torch.where(low == high, low, -1).int()
        return self._kept[device]

    @cached_property
    def _kept(self) -> dict[torch.device, tuple[Tensor, Tensor]]:
        return {}
