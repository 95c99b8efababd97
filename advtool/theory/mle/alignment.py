"""How the classifier's gradient Σ⁻¹μ aligns with the vector between the classes (Theorem 3)."""

import math

import numpy as np
from numpy.typing import ArrayLike

from advtool.theory.mle.covariance import check_variances


def alignment(mu: ArrayLike, s: ArrayLike) -> float:
    """cos ∠(μ, Σ⁻¹μ)."""
    mean, variances = np.asarray(mu, float), check_variances(s)
    mean, variances = mean / np.abs(mean).max(), variances / variances.min()
    gradient = mean / variances
    return float(mean @ gradient) / (float(np.linalg.norm(mean)) * float(np.linalg.norm(gradient)))


def worst_alignment(s: ArrayLike) -> float:
    """min over μ of cos ∠(μ, Σ⁻¹μ) = 2√κ/(1 + κ), κ the condition number (Lemma 8)."""
    s = check_variances(s)
    root = math.sqrt(float(s.min()) / float(s.max()))
    return 2 * root / (1 + root * root)


def worst_mean(s: ArrayLike) -> np.ndarray:
    """A unit μ that attains it: in the plane of the extreme variances, with μ_min² : μ_max² = s_min : s_max."""
    s = check_variances(s)
    mu = np.zeros_like(s)
    low, high = int(s.argmin()), int(s.argmax())
    mu[low] += math.sqrt(float(s[low]))
    mu[high] += math.sqrt(float(s[high])) if high != low else 0.0
    return mu / np.linalg.norm(mu)
