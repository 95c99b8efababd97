"""The hyperplane that minimises β + λβ̃, and the λ of a given hyperplane."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from advtool.theory.gaussian.decision import NoMinimiser, TwoGaussians, log_error, other_stationary_point, threshold
from advtool.theory.roots import bisect


@dataclass(frozen=True)
class Weighted:
    """The global minimiser of β + λβ̃.

    Attributes
    ----------
    w : the minimiser (the leftmost of equal ones); None if the objective has only an infimum, at infinity
    unique : whether no other local minimum is as low
    n_local_minima : number of local minima
    outside_interval : whether w is not between w* and w̃* (the paper says it always is: erratum G6)
    """

    w: float | None
    unique: bool
    n_local_minima: int
    outside_interval: bool


def minimise(model: TwoGaussians, shift: float, lam: float) -> Weighted:
    """W_λ = argmin β + λβ̃ over all hyperplanes (Theorem 1), found by a scan for local minima and bisection."""
    if model.sigma1 == model.sigma2:
        return _equal_widths(model, shift, lam)
    if model.sigma1 > model.sigma2:
        found = minimise(model.mirrored, shift, lam)
        at = None if found.w is None else model.distance - found.w
        return Weighted(at, found.unique, found.n_local_minima, found.outside_interval)
    standard, robust = threshold(model), threshold(model, shift)
    if lam in (0, math.inf) or shift == 0:
        return Weighted(robust if lam == math.inf else standard, True, 1, False)
    left = min(other_stationary_point(model), other_stationary_point(model, shift))
    minima = _local_minima(model, shift, lam, max(left, -1e6 * model.scale), robust)
    w, unique = _lowest(model, shift, lam, minima)
    slack = 1e-12 * model.scale
    return Weighted(w, unique, len(minima), not standard - slack <= w <= robust + slack)


def lam_of(model: TwoGaussians, shift: float, w: float) -> float | None:
    """λ(w) = −β′(w)/β̃′(w), for which w is stationary (Theorem 6); None where it would be negative.

    Stationary is not optimal: λ(w) need not increase (erratum G7).
    """
    narrow, wide = map(float, _log_densities(model, w, 0.0))
    narrow_shifted, wide_shifted = map(float, _log_densities(model, w, shift))
    up, down = wide - narrow, narrow_shifted - wide_shifted
    if up == 0:
        return 0.0
    if down == 0:
        return math.inf
    if (up > 0) != (down > 0):
        return None
    log_lam = _log_difference(narrow, wide) - _log_difference(narrow_shifted, wide_shifted)
    return math.exp(log_lam) if log_lam < 700 else math.inf


def _log_difference(a: float, b: float) -> float:
    """log |e^a − e^b|."""
    return max(a, b) + math.log(-math.expm1(-abs(a - b)))


def _log_densities(model: TwoGaussians, w: ArrayLike, shift: float) -> tuple[np.ndarray, np.ndarray]:
    """Logs of both class densities at w (both up to the same constant), each moved towards the other class."""
    w = np.asarray(w, float)
    one = -(((w - shift) / model.sigma1) ** 2) / 2 - math.log(model.sigma1)
    return one, -(((model.distance - w - shift) / model.sigma2) ** 2) / 2 - math.log(model.sigma2)


def _slope(model: TwoGaussians, shift: float, lam: float, w: ArrayLike) -> np.ndarray:
    """A number with the sign of (β + λβ̃)′(w), that does not underflow."""
    one, two = _log_densities(model, w, 0.0)
    one_shifted, two_shifted = _log_densities(model, w, shift)
    log_lam = math.log(lam)
    return np.logaddexp(two, log_lam + two_shifted) - np.logaddexp(one, log_lam + one_shifted)


def _local_minima(model: TwoGaussians, shift: float, lam: float, low: float, high: float) -> list[float]:
    """Where the slope turns from − to +, on a grid that is fine wherever a class has its edge."""
    h, near = model.distance, np.linspace(-8, 8, 1001)
    places = [np.linspace(-8 * model.sigma2, h + 8 * model.sigma2, 4001)]
    places += [centre + model.sigma1 * near for centre in (0, shift)]
    places += [centre + model.sigma2 * near for centre in (h, h - shift)]
    places += [high - np.geomspace(1e-9, 1, 500) * (high - low), np.array([low, high])]
    margin = 1e-9 * model.scale
    grid = np.unique(np.concatenate(places))
    grid = np.concatenate([[low - margin], grid[(grid > low) & (grid < high)], [high + margin]])
    slope = _slope(model, shift, lam, grid)
    turns = np.flatnonzero((slope[:-1] < 0) & (slope[1:] >= 0))
    return [bisect(lambda w: float(_slope(model, shift, lam, w)), float(grid[i]), float(grid[i + 1])) for i in turns]


def _lowest(model: TwoGaussians, shift: float, lam: float, minima: list[float]) -> tuple[float, bool]:
    values = np.array([objective(model, shift, lam, w) for w in minima])
    return minima[int(values.argmin())], bool(np.count_nonzero(values <= values.min() + 1e-12) == 1)


def objective(model: TwoGaussians, shift: float, lam: float, w: float) -> float:
    """log(β(w) + λβ̃(w)) for 0 < λ < ∞."""
    return float(np.logaddexp(log_error(model, w), math.log(lam) + log_error(model, w, shift)))


def _equal_widths(model: TwoGaussians, shift: float, lam: float) -> Weighted:
    if lam == 0 or model.distance > 2 * shift:
        return Weighted(model.distance / 2, True, 1, False)
    if lam == math.inf:
        raise NoMinimiser("no minimiser: with equal widths the robust error is at least 1/2 everywhere")
    h, reach = model.distance, 40 * model.sigma1 + 2 * shift
    grid = np.linspace(h / 2 - reach, h / 2 + reach, 40002)  # even: the middle is a gap, symmetric about h/2
    slope = _slope(model, shift, lam, grid)
    turns = np.flatnonzero((slope[:-1] < 0) & (slope[1:] >= 0))
    minima = [bisect(lambda w: float(_slope(model, shift, lam, w)), float(grid[i]), float(grid[i + 1])) for i in turns]
    at_infinity = math.log1p(lam) + math.log(0.5)
    if not minima or min(objective(model, shift, lam, w) for w in minima) >= at_infinity:
        return Weighted(None, False, len(minima), True)
    w, unique = _lowest(model, shift, lam, minima)
    return Weighted(w, unique, len(minima), abs(w - h / 2) > 1e-9 * model.scale)
