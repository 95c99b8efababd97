"""Tails of sums of independent bits with integer weights; bits that are alike are one binomial term."""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.special import gammaln, logsumexp, xlog1py, xlogy

_FEW = 32
"""Up to so many bits that are alike are added one by one."""


@dataclass(frozen=True)
class Terms:
    """Σ weights_i·B_i with B_i binomial: `counts_i` bits, each 1 with probability `flip_i`."""

    weights: np.ndarray
    flip: np.ndarray
    counts: np.ndarray

    @classmethod
    def of(cls, weights: np.ndarray, flip: np.ndarray) -> Self:
        """The terms of bits, those of equal weight and probability together."""
        alike, counts = np.unique(np.stack([weights, flip]), axis=1, return_counts=True)
        return cls(alike[0].astype(weights.dtype), alike[1], counts)


def lattice_tails(terms: Terms, *needed: int) -> list[float]:
    """log P(Σ weights_i·B_i ≥ needed) for each `needed`, of integer weights, by adding one term after the other.

    The bits are tilted by e^(θ·weight) so that `needed` is about the mean: then nothing that counts underflows.
    """
    weights, flip, counts = terms.weights, terms.flip, terms.counts
    theta = _tilt(terms, needed[0])
    log_odds = np.log(flip) - np.log1p(-flip) + theta * weights
    up = 1 / (1 + np.exp(-log_odds))
    log_moment = float(counts @ np.logaddexp(np.log1p(-flip), np.log(flip) + theta * weights))
    table, reach = np.zeros(int(weights @ counts) + 1), 0
    table[0] = 1.0
    for weight, p, count in zip(weights.tolist(), up.tolist(), counts.tolist(), strict=True):
        if count > _FEW:
            spread = np.zeros(weight * count + 1)
            spread[::weight] = _binomial(count, p)
            reach += weight * count
            table[: reach + 1] = _convolved(table[: reach + 1], spread)
            continue
        for _ in range(count):
            moved = p * table[: reach + 1]
            table[: reach + 1] *= 1 - p
            table[weight : weight + reach + 1] += moved
            reach += weight
    with np.errstate(divide="ignore"):
        logs = np.log(table) - theta * np.arange(len(table)) + log_moment
    return [float(logsumexp(logs[k:])) if k < len(logs) else -math.inf for k in needed]


def _convolved(table: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The distribution of the sum, as long as `table`, by the fast Fourier transform; rounding below 0 is cut off."""
    size = 2 ** math.ceil(math.log2(len(table) + len(other)))
    product = np.fft.irfft(np.fft.rfft(table, size) * np.fft.rfft(other, size), size)
    return np.maximum(product[: len(table)], 0)


def _binomial(n: int, p: float) -> np.ndarray:
    """The probabilities of 0 to n."""
    k = np.arange(n + 1)
    logs = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1) + xlogy(k, p) + xlog1py(n - k, -p)
    return np.exp(logs)


def _tilt(terms: Terms, needed: float) -> float:
    """θ ≥ 0 at which the tilted mean reaches `needed`, roughly."""
    weights, flip, counts = terms.weights, terms.flip, terms.counts
    low, high = 0.0, 200.0 / float(weights.min())
    for _ in range(60):
        theta = (low + high) / 2
        odds = np.minimum(np.log(flip) - np.log1p(-flip) + theta * weights, 700)
        short = float(counts @ (weights / (1 + np.exp(-odds)))) < needed
        low, high = (theta, high) if short else (low, theta)
    return low
