"""The soft-margin SVM of Theorem 2.2 at infinite data, standard (ε = 0) and adversarial.

By symmetry the weak features share one weight: w = (w_1, v/√d, …, v/√d), with w_1, v ≥ 0 at the optimum. The margin
of a sample is then N(m ± w_1, v²) with m = vη√d − ε(w_1 + √d v).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import erfcx, log_ndtr, ndtr

from advtool.theory.roots import bisect
from advtool.theory.tradeoff.linear import Features


@dataclass(frozen=True)
class Svm:
    """A solution (w_1, v) with its loss, penalty included; `t` = w_1/v as `linear.log_accuracy` takes it."""

    w1: float
    v: float
    loss: float

    @property
    def t(self) -> float | None:
        """w_1/v, ∞ for v = 0; None for w = 0, which decides nothing."""
        return self.w1 / self.v if self.v else math.inf if self.w1 else None


def hinge(mean: ArrayLike, sd: ArrayLike) -> np.ndarray:
    """E max(0, 1 − N(mean, sd²)) = s[φ(a) + aΦ(a)], a = (1 − mean)/s, without cancellation for very negative a."""
    mean, sd = np.broadcast_arrays(np.asarray(mean, float), np.asarray(sd, float))
    safe = np.where(sd > 0, sd, 1.0)
    a = (1 - mean) / safe
    density = np.exp(-(a**2) / 2) / math.sqrt(2 * math.pi)
    # Φ(a) = φ(a) · √(π/2) erfcx(−a/√2), so that both terms carry the same φ(a)
    near = density * (1 + a * math.sqrt(math.pi / 2) * erfcx(np.clip(-a, 0, 30) / math.sqrt(2)))
    inverse = 1 / np.minimum(a, -1.0) ** 2
    far = density * inverse * (1 - 3 * inverse + 15 * inverse**2)
    value = np.where(a >= 0, density + a * np.exp(log_ndtr(a)), np.where(a < -30, far, near))
    return np.where(sd > 0, sd * value, np.maximum(1 - mean, 0.0))


def loss(model: Features, w1: ArrayLike, v: ArrayLike, eps: float, lam: float = 0.0) -> np.ndarray:
    """E max(0, 1 − y w·x) under the attack, plus λ/2 ‖w‖² (Eq. 5); any signs of w_1 and v."""
    w1, v = np.asarray(w1, float), np.asarray(v, float)
    m = v * model.eta * math.sqrt(model.d) - eps * (np.abs(w1) + math.sqrt(model.d) * np.abs(v))
    margin = model.p * hinge(m + w1, np.abs(v)) + (1 - model.p) * hinge(m - w1, np.abs(v))
    return margin + lam / 2 * (w1**2 + v**2)


def unit_norm(model: Features, eps: float) -> Svm:
    """The minimiser of the margin term over ‖w‖₂ = 1: w_1 = sin a, v = cos a."""
    grid = np.unique(np.concatenate([np.linspace(0, math.pi / 2, 2001), np.geomspace(1e-8, 1, 500) * math.pi / 2]))
    values = loss(model, np.sin(grid), np.cos(grid), eps)

    def slope(a: float) -> float:
        by_w1, by_v = _gradient(model, math.sin(a), math.cos(a), eps)
        return by_w1 * math.cos(a) - by_v * math.sin(a)

    candidates = [0.0, math.pi / 2]
    for i in {int(values.argmin()), *np.flatnonzero((values[1:-1] <= values[:-2]) & (values[1:-1] <= values[2:])) + 1}:
        low, high = float(grid[max(i - 1, 0)]), float(grid[min(i + 1, len(grid) - 1)])
        if slope(low) < 0 < slope(high):
            candidates.append(bisect(slope, low, high))
    best = min(candidates, key=lambda a: float(loss(model, *_direction(a), eps)))
    w1, v = _direction(best)
    return Svm(w1, v, float(loss(model, w1, v, eps)))


def _direction(a: float) -> tuple[float, float]:
    return (1.0, 0.0) if a == math.pi / 2 else (math.sin(a), math.cos(a))


def regularised(model: Features, eps: float, lam: float) -> Svm:
    """The minimiser of Eq. 5 with penalty λ/2 ‖w‖², λ ≥ 0: convex, so nested bisection on its slopes finds it.

    For ε ≥ η the weak features get no weight (Lemma C.5, corrected) and w_1 = min((2p − 1 − ε)⁺/λ, 1/(1 − ε)).
    """
    if eps >= model.eta:
        w1 = robust_w1(model.p, eps, lam)
        return Svm(w1, 0.0, float(loss(model, w1, 0.0, eps, lam)))

    def best_w1(v: float) -> float:
        def slope(w1: float) -> float:
            return _gradient(model, w1, v, eps)[0] + lam * w1

        return _rising_root(slope)

    def slope(v: float) -> float:
        return _gradient(model, best_w1(v), v, eps)[1] + lam * v

    v = _rising_root(slope)
    w1 = best_w1(v) if v else robust_w1(model.p, eps, lam)
    return Svm(w1, v, float(loss(model, w1, v, eps, lam)))


def robust_w1(p: float, eps: float, lam: float) -> float:
    """w_1 of the strong feature alone; 0 for ε ≥ 2p − 1 (erratum T1), or for p = ½."""
    gain = 2 * p - 1 - eps
    if gain <= 0:
        return 0.0
    return min(gain / lam if lam else math.inf, 1 / (1 - eps))


def _rising_root(slope: Callable[[float], float]) -> float:
    """Where a rising slope crosses 0 on [0, ∞); 0 if it is never negative."""
    if slope(1e-12) >= 0:
        return 0.0
    high = 1.0
    while slope(high) < 0:
        high *= 2
    return bisect(slope, 1e-12, high)


def _gradient(model: Features, w1: float, v: float, eps: float) -> tuple[float, float]:
    """Partial derivatives of the margin term for w_1 ≥ 0 and v > 0."""
    root = math.sqrt(model.d)
    m = v * model.eta * root - eps * (w1 + root * v)
    by_w1 = by_v = 0.0
    for share, sign in ((model.p, 1), (1 - model.p, -1)):
        if v == 0:
            cdf, density = float(m + sign * w1 < 1), 0.0
        else:
            a = (1 - m - sign * w1) / v
            cdf, density = float(ndtr(a)), math.exp(-a * a / 2) / math.sqrt(2 * math.pi)
        by_w1 -= share * cdf * (sign - eps)
        by_v += share * (density - cdf * (model.eta - eps) * root)
    return by_w1, by_v
