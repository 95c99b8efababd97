"""Corollaries 2, 3 and 4 of Suggala et al., as they are and as they should be."""

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import log_ndtr

from advtool.errors import UsageError
from advtool.theory.mixture.exact import log_adversarial_risk
from advtool.theory.mixture.risks import Mixture
from advtool.theory.tails import log_difference, log_interval


def critical_eps(p: int) -> float:
    """Corollary 2: from which ε on sign(x_1) has the smaller G_adv; below it the corollary is false (erratum X2).

    θ* = (1, 1/√(p−1), …) in p ≥ 2 dimensions, linf. The place does not depend on σ.
    """
    if p < 2:
        raise UsageError("Corollary 2 needs at least 2 dimensions", parameter="dim")
    return (2 - math.sqrt(2)) / (1 + math.sqrt(p - 1) - math.sqrt(2))


def log_total_risks(p: int, eps: float, sigma: float) -> tuple[float, float]:
    """Corollary 2: log G_adv of θ* and of θ̃ = e_1."""
    bayes = ((1 + math.sqrt(p - 1)) * eps - 2) / (math.sqrt(2) * sigma)
    return float(log_ndtr(bayes)), float(log_ndtr((eps - 1) / sigma))


def log_excess_risk(theta_squared: float, sigma: float = 1.0) -> float:
    """Corollary 3: log[R(f_w) − R*] = log[Φ(−‖θ‖/(σ√(1 + 1/‖θ‖²))) − Φ(−‖θ‖/σ)], w being ±1/√(p−s) off θ's support."""
    size = math.sqrt(theta_squared)
    return float(log_difference(log_ndtr(-size / (sigma * math.sqrt(1 + 1 / theta_squared))), log_ndtr(-size / sigma)))


def sparse_classifier(theta_squared: float, free: int, sigma: float = 1.0) -> Mixture:
    """The mixture and classifier of Corollary 3 with s = 1 and p − s = `free` dimensions off the support."""
    if free < 1:
        raise UsageError("must be at least 1", parameter="free")
    theta, w = np.zeros(free + 1), np.full(free + 1, 1 / math.sqrt(free))
    theta[0] = w[0] = math.sqrt(theta_squared)
    return Mixture(theta, w, sigma)


def corollary3_eps(theta_squared: float, free: int) -> float:
    """The radius 2‖θ‖²/√(p − s) at which Corollary 3 claims R_adv ≥ 0.95."""
    return 2 * theta_squared / math.sqrt(free)


def log_corollary3(theta_squared: float, free: int, sigma: float, eps: float) -> float:
    """Corollary 3: the exact log R_adv."""
    return log_adversarial_risk(sparse_classifier(theta_squared, free, sigma), eps, math.inf)


def log_corollary4(theta: ArrayLike, sigma: float, c: float, alpha_l1: float, eps: float) -> float:
    """Corollary 4: log R_adv = log P(|θ·x| ≤ ε(‖θ‖₁ + ‖α‖₁/c)) for w = cθ on the support and α off it, x being 0 there.

    Gradient descent on the logistic loss tends to c = 2/σ². A start with variance 1/√(p−s), as printed, has
    ‖α‖₁ ≈ √(2/π)(p−s)^¾; with 1/(p−s) it is √(2/π)√(p−s), and then the claim fails (erratum X4).
    """
    theta = np.atleast_1d(np.asarray(theta, float))
    size = float(np.linalg.norm(theta))
    reach = eps * (float(np.abs(theta).sum()) + alpha_l1 / c) / (size * sigma)
    return float(log_interval(-reach - size / sigma, reach - size / sigma))


def alpha_l1(free: int, start: str) -> float:
    """E‖α‖₁ of a Gaussian start in `free` dimensions, with variance 1/√free (``printed``) or 1/free (``repaired``)."""
    return math.sqrt(2 / math.pi) * free ** (0.75 if start == "printed" else 0.5)
