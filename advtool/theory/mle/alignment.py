"""How the classifier's gradient Σ⁻¹μ aligns with the vector between the classes (Theorem 3)."""

import math

import numpy as np

from advtool.theory.mle.covariance import check_variances


def alignment(mu, s) -> float:
    """cos ∠(μ, Σ⁻¹μ)."""
    mu, s = np.asarray(mu, float), check_variances(s)
    mu, s = mu / np.abs(mu).max(), s / s.min()
    gradient = mu / s
    return float(mu @ gradient) / (float(np.linalg.norm(mu)) * float(np.linalg.norm(gradient)))


def worst_alignment(s) -> float:
    """min over μ of cos ∠(μ, Σ⁻¹μ) = 2√κ/(1 + κ), κ the condition number (Lemma 8)."""
    s = check_variances(s)
    root = math.sqrt(float(s.min()) / float(s.max()))
    return 2 * root / (1 + root * root)


def worst_mean(s) -> np.ndarray:
    """A unit μ that attains it: in the plane of the extreme variances, with μ_min² : μ_max² = s_min : s_max."""
    s = check_variances(s)
    mu = np.zeros_like(s)
    low, high = int(s.argmin()), int(s.argmax())
    mu[low] += math.sqrt(float(s[low]))
    mu[high] += math.sqrt(float(s[high])) if high != low else 0.0
    return mu / np.linalg.norm(mu)
