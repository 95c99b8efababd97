"""Theorem 1: the classifier z = mean of y_i x_i, and the stronger bound that its proof can give."""

import math

import numpy as np
from numpy.typing import ArrayLike

from advtool.theory.bernoulli.error import check_tau


def theorem1(tau: ArrayLike, n: int) -> dict:
    """Theorem 1: error ≤ exp(−2 τ_min² (Στ)²/d) with probability ≥ 1 − exp(−n (Στ)²/(2d))."""
    tau = check_tau(tau)
    total, d = float(tau.sum()), len(tau)
    return _statement(-2 * float(tau.min()) ** 2 * total**2 / d, -n * total**2 / (2 * d))


def repaired(tau: ArrayLike, n: int) -> dict:
    """The stronger form: error ≤ exp(−2‖τ‖⁴/d) with probability ≥ 1 − exp(−n‖τ‖²/2).

    Hoeffding on ⟨z, τ⟩ instead of ⟨z, 1⟩, with ‖z‖ ≤ √d; it needs no lower bound on τ (errata B3, B4).
    """
    tau = check_tau(tau)
    squared = float(np.sum(tau**2))
    return _statement(-2 * squared**2 / len(tau), -n * squared / 2)


def _statement(log_bound: float, log_failure: float) -> dict:
    holds = -math.expm1(log_failure)
    return {
        "bound": math.exp(log_bound),
        "log_bound": log_bound,
        "probability": holds,
        "log_probability": math.log(holds) if holds else -math.inf,
    }
