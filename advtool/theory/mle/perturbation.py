"""What the attacker does to one point (Lemma 1), and what the attack costs on average (Theorem 1)."""

import math

import numpy as np
from numpy.typing import ArrayLike

from advtool.errors import AdvtoolError, UsageError
from advtool.theory.mle.covariance import check_variances
from advtool.theory.roots import bisect

CONVENTIONS = ("nll", "paper")


def quadratic(v: ArrayLike, s: ArrayLike) -> float:
    """½ vᵀΣ⁻¹v, the part of the negative log-likelihood that an attack changes."""
    return float((np.asarray(v, float) ** 2 / np.asarray(s, float)).sum()) / 2


def worst_perturbation(v: ArrayLike, s: ArrayLike, eps: float) -> tuple[np.ndarray, float]:
    """argmax of ½(v + δ)ᵀΣ⁻¹(v + δ) over ‖δ‖₂ = ε, and its multiplier λ (Lemma 1).

    δ = (λΣ − I)⁻¹v with the largest root λ ≥ 1/s_min of Σ v_i²/(λs_i − 1)² = ε²; smaller roots are saddle points. In
    the hard case, v without a part along the smallest variance, what remains of ε goes there (its sign is free).
    """
    s, v = check_variances(s), np.asarray(v, float)
    if v.shape != s.shape or not np.all(np.isfinite(v)):
        raise UsageError("must be finite numbers, as many as variances", parameter="residual")
    if eps == 0:
        return np.zeros_like(v), math.inf
    smallest = float(s.min())
    ratio, at_min = s / smallest, s == smallest

    def delta(x: float) -> np.ndarray:  # λ = (1 + x)/s_min, so that λs − 1 does not cancel
        return v / ((ratio - 1) + x * ratio)

    along = math.hypot(*v[at_min])
    if along <= 1e-300 * eps:
        rest = np.where(at_min, 0.0, v / np.where(at_min, 1.0, ratio - 1))
        if (left := eps**2 - float(rest @ rest)) >= 0:
            first = int(at_min.argmax())
            rest[first] = math.copysign(math.sqrt(left), v[first])
            return rest, 1 / smallest
    low, high = along / eps, math.hypot(*v) / eps
    if high <= low:
        x = low
    else:
        x = bisect(lambda x: math.hypot(*delta(x)) - eps, max(low, 1e-300) * (1 - 1e-12), high * (1 + 1e-12))
    return delta(x), (1 + x) / smallest


def excess_loss(s: ArrayLike, penalty: float, convention: str = "nll") -> float:
    """Theorem 1: by how much an attack with Lagrangian penalty C‖δ‖² raises the loss, the penalty left out.

    ``nll`` (the loss ½vᵀΣ⁻¹v): ½Σ[(1 + 1/(2Cs_i − 1))² − 1], for C > 1/(2s_min).
    ``paper`` (erratum M2: the loss vᵀΣ⁻¹v): Σ[(1 + 1/(Cs_i − 1))² − 1], for C > 1/s_min.

    Raises
    ------
    AdvtoolError
        for C at or below the limit: the inner problem is unbounded
    """
    s = check_variances(s)
    half = 0.5 if convention == "nll" else 1.0
    stiffness = penalty / half * s
    if float(stiffness.min()) <= 1:
        limit = half / float(s.min())
        raise AdvtoolError(f"inner problem unbounded: the penalty must be above {limit:.6g} in convention {convention}")
    r = 1 / (stiffness - 1)
    return half * float((r * (2 + r)).sum())
