"""The covariance that robust maximum likelihood learns (Theorem 2, Lemma 4), for any ε."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from advtool.errors import UsageError
from advtool.theory.roots import bisect_log


def check_variances(s: ArrayLike) -> np.ndarray:
    """Variances as an array, positive and finite."""
    s = np.atleast_1d(np.asarray(s, float))
    if s.size == 0 or not np.all(np.isfinite(s) & (s > 0)):
        raise UsageError("must be positive finite numbers", parameter="variances")
    if float(s.max()) > 1e100 * float(s.min()) or not 1e-100 < float(s.max()) < 1e100:
        raise UsageError("must lie within 1e100 of each other and of 1", parameter="variances")
    return s


@dataclass(frozen=True)
class Robust:
    """The learned variances Σ_i, shape d, and the Lagrange multiplier λ (∞ for ε = 0). The mean is learned as it is."""

    variances: np.ndarray
    lam: float


def robust_covariance(s: ArrayLike, eps: float) -> Robust:
    """Σ_i = s_i(1 + M_i)² = s_i/2 + 1/λ + √(s_i/λ + s_i²/4), with tr(S M²) = ε² (erratum M1: the paper prints ε).

    λ is unique for every ε > 0 (erratum M3: no ε₀ is needed). Cost is O(d).
    """
    s = check_variances(s)
    if eps == 0:
        return Robust(s.copy(), math.inf)
    unit = float(s.max())
    values, counts = np.unique(s / unit, return_counts=True)
    lam = _multiplier(values, counts, eps / math.sqrt(unit)) / unit
    return Robust(s * (1 + _m(lam * s)) ** 2, lam)


def _m(a: np.ndarray) -> np.ndarray:
    return 1 / (a / 2 + np.sqrt(a + a * a / 4))


def _multiplier(s: np.ndarray, counts: np.ndarray, eps: float) -> float:
    def excess(lam: float) -> float:
        return float(np.sqrt((counts * s * _m(lam * s) ** 2).sum())) - eps

    low, high = _bounds(s, counts, eps)
    while excess(low) < 0:
        low /= 2
    while excess(high) > 0:
        high *= 2
    return low if low == high else bisect_log(excess, low, high)


def _bounds(s: np.ndarray, counts: np.ndarray, eps: float) -> tuple[float, float]:
    d = float(counts.sum())
    upper = min(math.sqrt(float((counts / s).sum())) / eps, d / eps / eps)
    lower = d / 2 / (eps * eps + float(counts @ s)) * (1 + math.sqrt(d * float(s.min())) / eps)
    return float(lower), float(upper)


def lam_bounds(s: ArrayLike, eps: float) -> dict:
    """Bounds on λ for ε > 0.

    ``lower`` = (d/2)/(ε² + tr S) · (1 + √(d s_min)/ε), ``upper`` = min(√(Σ1/s_i)/ε, d/ε²), and the looser upper bound
    that the paper's proof of Theorem 2 ends with, ``upper_paper`` = (√(‖S‖_F d)/ε + 1)/s_min.
    """
    s = check_variances(s)
    if eps == 0:
        return {"lower": math.inf, "upper": math.inf, "upper_paper": math.inf}
    lower, upper = _bounds(s, np.ones(len(s)), eps)
    smallest, frobenius = float(s.min()), float(s.max()) * float(np.sqrt(((s / s.max()) ** 2).sum()))
    return {"lower": lower, "upper": upper, "upper_paper": (math.sqrt(frobenius * len(s)) / eps + 1) / smallest}
