"""How far apart the standard and the robust hyperplane are: ε_p and Theorems 2, 3 and 8."""

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import erf

from advtool.errors import UsageError
from advtool.theory.gaussian.decision import NoMinimiser, TwoGaussians, threshold
from advtool.theory.norms import dual, norm


def eps_p(delta: ArrayLike, eps: float, p: float) -> float:
    """ε_p = ε‖Δ‖_q/‖Δ‖₂, by how much the attack moves a class along Δ (App. A.1, with erratum G1: q is dual to p)."""
    return eps * norm(delta, dual(p)) / norm(delta, 2)


def ratio_range(dim: int, p: float) -> tuple[float, float]:
    """The range of ε_p/(c ε), where c = max(1, d^(1/q − 1/2)) is the largest ε_p/ε among all directions."""
    power = dim ** (1 / dual(p) - 0.5)
    return min(power, 1 / power), 1.0


def eps_p_of_ratio(ratio: float, dim: int, eps: float, p: float) -> float:
    """ε_p = ratio · √d ε for linf; for other norms √d becomes the largest ε_p/ε, max(1, d^(1/q − 1/2))."""
    low, high = ratio_range(dim, p)
    if not low * (1 - 1e-12) <= ratio <= high:
        message = f"must be from {low:.6g} to 1 for this norm and dimension"
        raise UsageError(message, parameter="ratio", value=f"{ratio:g}")
    return ratio * max(1.0, dim ** (1 / dual(p) - 0.5)) * eps


def gap_bounds(model: TwoGaussians, shift: float) -> dict:
    """Bounds on |w̃* − w*| (App. A.2), with the gap itself.

    Returns ``lower``, ``gap`` and ``upper``. The upper bound is infinite for equal widths, and None for shift > h,
    where it fails.
    """
    s1, s2, h = model.sigma1, model.sigma2, model.distance
    factor, upper = abs(s2 - s1) / (s2 + s1), _upper_factor(model)
    try:
        gap = abs(threshold(model, shift) - threshold(model))
    except NoMinimiser:
        gap = math.inf
    return {"lower": factor * shift, "gap": gap, "upper": _times(upper, shift) if shift <= h else None}


def dimension_bounds(model: TwoGaussians, dim: int, eps: float) -> dict:
    """The same for a linf attack of radius ε in d dimensions.

    ``upper_dim`` is Theorem 3. ``average_lower`` is Theorem 2, for a direction uniform on the linf sphere; with the
    exact mean of ε_∞ instead of Lemma 7 it is ``average_lower_exact`` (erratum G9: the lemma is loose).
    """
    factor = abs(model.sigma2 - model.sigma1) / (model.sigma2 + model.sigma1)
    return {
        "upper_dim": _times(_upper_factor(model), math.sqrt(dim) * eps),
        "average_lower": factor * (dim + 2) / (3 * math.sqrt(dim)) * eps,
        "average_lower_exact": factor * mean_eps_inf(dim) * eps,
    }


def mean_eps_inf(dim: int) -> float:
    """E ‖X‖₁/‖X‖₂ for X uniform on the linf sphere in d dimensions: the mean of ε_∞/ε (Theorem 8).

    With 1/√A = 2/√π ∫ exp(−A t²) dt the coordinates separate: what is left is one integral over t.
    """
    edges = np.concatenate([[0.0], np.geomspace(1e-3 / math.sqrt(dim), 8.0, 120)])
    nodes, weights = np.polynomial.legendre.leggauss(20)
    half = np.diff(edges)[:, None] / 2
    t = edges[:-1, None] + half * (1 + nodes)
    g = math.sqrt(math.pi) * erf(t) / (2 * t)  # ∫ exp(−t²u²) du over [0, 1]
    first = -np.expm1(-(t**2)) / (2 * t**2)  # the same with a factor u
    log_g = np.log(g)
    integrand = np.exp(-(t**2)) * (np.exp((dim - 1) * log_g) + (dim - 1) * first * np.exp((dim - 2) * log_g))
    return float(2 / math.sqrt(math.pi) * (half * weights * integrand).sum())


def _upper_factor(model: TwoGaussians) -> float:
    s1, s2 = model.sigma1 / model.scale, model.sigma2 / model.scale
    return (s1 * s1 + s2 * s2) / abs((s2 - s1) * (s2 + s1)) if s1 != s2 else math.inf


def _times(factor: float, x: float) -> float:
    return 0.0 if x == 0 else factor * x
