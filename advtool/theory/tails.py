"""Probabilities in log space, so that they keep their digits where they underflow."""

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import log_ndtr

LOG_HALF = math.log(0.5)


def log_mean(log_a: ArrayLike, log_b: ArrayLike) -> np.ndarray:
    """log of the mean of two probabilities."""
    return np.logaddexp(log_a, log_b) + LOG_HALF


def log_difference(log_a: ArrayLike, log_b: ArrayLike) -> np.ndarray:
    """log(e^a − e^b) for a ≥ b; −inf where they are equal."""
    log_a, log_b = np.asarray(log_a, float), np.asarray(log_b, float)
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = np.where(log_b == -np.inf, -np.inf, np.minimum(log_b - log_a, 0.0))
        small = np.log(-np.expm1(gap))
        large = np.log1p(-np.exp(gap))
    return log_a + np.where(gap > -0.7, small, large)


def log_interval(low: ArrayLike, high: ArrayLike) -> np.ndarray:
    """log P(low < N(0, 1) < high), exact to the last digits in both tails; −inf where the interval is empty."""
    low, high = np.broadcast_arrays(np.asarray(low, float), np.asarray(high, float))
    flip = low + high > 0  # work in the tail that is far from 1
    a, b = np.where(flip, -high, low), np.where(flip, -low, high)
    return np.where(a < b, log_difference(log_ndtr(np.maximum(a, b)), log_ndtr(np.minimum(a, b))), -np.inf)


def probability(name: str, log_value: float) -> dict:
    """A probability and its logarithm as reports give them: ``{name: p, "log_name": log p}``."""
    log_value = min(float(log_value), 0.0)
    return {name: math.exp(log_value), f"log_{name}": log_value}
