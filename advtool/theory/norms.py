"""Norms of an attack: their duals, and the distance of a point from their balls."""

import math

import numpy as np
from numpy.typing import ArrayLike

from advtool.errors import UsageError


def dual(p: float) -> float:
    """The exponent q with 1/p + 1/q = 1."""
    if not p >= 1:
        raise UsageError("the exponent of a norm must be at least 1")
    return math.inf if p == 1 else 1.0 if p == math.inf else p / (p - 1)


def norm(x: ArrayLike, p: float) -> float:
    """‖x‖_p, without overflow."""
    size = np.abs(np.asarray(x, float))
    largest = float(size.max(initial=0.0))
    if largest == 0 or p == math.inf:
        return largest
    return largest * float(((size / largest) ** p).sum() ** (1 / p))


def nearest_in_ball(x: ArrayLike, radius: float, p: float) -> np.ndarray:
    """The point of the ℓ_p ball of this radius that is nearest to `x` in ℓ2.

    Stationarity is y + μ y^(p−1) = |x| for each coordinate, with one μ ≥ 0 for all; both are found by bisection.
    """
    x = np.asarray(x, float)
    if norm(x, p) <= radius:
        return x.copy()
    size = np.abs(x)
    if p == math.inf:
        return np.clip(x, -radius, radius)
    if p == 2:
        return x * (radius / norm(x, 2))
    if radius == 0:
        return np.zeros_like(x)
    if p == 1:
        descending = np.sort(size)[::-1]
        excess = (np.cumsum(descending) - radius) / np.arange(1, len(size) + 1)
        last = int(np.count_nonzero(descending > excess)) - 1  # −1 if the radius is lost to rounding
        return np.sign(x) * np.maximum(size - excess[max(last, 0)], 0)
    scale = norm(x, math.inf)
    size, radius = size / scale, radius / scale
    low, high = -700.0, 700.0  # of log μ
    for _ in range(100):
        log_mu = (low + high) / 2
        y = _shrunk(size, log_mu, p)
        low, high = (log_mu, high) if norm(y, p) > radius else (low, log_mu)
    return np.sign(x) * y * scale


def _shrunk(size: np.ndarray, log_mu: float, p: float) -> np.ndarray:
    """y in [0, size] with y + μ y^(p−1) = size."""
    low, high = np.zeros_like(size), size.copy()
    for _ in range(100):
        y = (low + high) / 2
        with np.errstate(divide="ignore", over="ignore"):
            above = y + np.exp(log_mu + (p - 1) * np.log(y)) > size
        low, high = np.where(above, low, y), np.where(above, y, high)
    return (low + high) / 2
