"""Accuracies of linear rules, the trade-off curve, and the bound that no classifier escapes."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import log_ndtr

from advtool.errors import UsageError


@dataclass(frozen=True)
class Features:
    """d weak features of mean η, and a strong one that is right with probability p ∈ [½, 1)."""

    d: int
    eta: float
    p: float

    def __post_init__(self) -> None:
        if self.d < 1:
            raise UsageError("must be at least 1", parameter="dim")
        if not (math.isfinite(self.eta) and self.eta > 0):
            raise UsageError("must be a positive number", parameter="eta")
        if not 0.5 <= self.p < 1:
            raise UsageError("must be from 0.5 to below 1", parameter="p")


def log_accuracy_average(model: Features, eps: float = 0.0) -> float:
    """log Φ((η − ε)√d): f_avg averages the weak features (Eq. 4); as N(−η, 1/d) at ε = 2η (erratum T2)."""
    return float(log_ndtr((model.eta - eps) * math.sqrt(model.d)))


def log_accuracy(model: Features, t: ArrayLike, eps: float = 0.0, spread: float | None = None) -> np.ndarray:
    """log accuracy of sign(t x_1 + z) under an attack, z the weak features with weights of unit ℓ2 norm.

    Parameters
    ----------
    t : w_1/‖w_{2:}‖₂ ≥ 0; ∞ is the strong feature alone
    spread : ‖w_{2:}‖₁/‖w_{2:}‖₂ from 1 to √d; default √d, equal weights
    """
    s = math.sqrt(model.d) if spread is None else spread
    t = np.asarray(t, float)
    finite = np.where(np.isinf(t), 0.0, t)
    mean = (model.eta - eps) * s - eps * finite
    log_p, log_q = math.log(model.p), math.log1p(-model.p)
    mixed = np.logaddexp(log_p + log_ndtr(mean + finite), log_q + log_ndtr(mean - finite))
    return np.where(np.isinf(t), log_p if eps < 1 else -math.inf, mixed)


def no_free_lunch(model: Features, eps: float, standard_accuracy: float) -> float | None:
    """Theorem 2.1: the largest adversarial accuracy at this standard accuracy, min(1, p/(1 − p) δ), for ε ≥ 2η.

    It holds for every classifier, and with equality for the strong feature alone. None if ε < 2η.
    """
    if eps < 2 * model.eta:
        return None
    return min(1.0, model.p / (1 - model.p) * (1 - standard_accuracy))


def tradeoff_curve(model: Features, eps: float, all_linear: bool = False) -> dict[str, np.ndarray]:
    """The best adversarial accuracy of linear rules at each standard accuracy.

    Equal weights on the weak features, t from 0 to ∞; with `all_linear` also fewer of them (spread below √d), which
    helps for ε > η. Returns ``t``, ``spread``, ``standard_accuracy`` (rising) and ``adversarial_accuracy`` (falling).
    """
    root = math.sqrt(model.d)
    spreads = np.unique(np.concatenate([[root], np.geomspace(1, root, 500)])) if all_linear else np.array([root])
    t = np.concatenate([[0.0], np.logspace(-3, 4, 1401), [math.inf]])
    found = []
    for s in spreads:
        standard, adversarial = (np.exp(log_accuracy(model, t, e, s)) for e in (0.0, eps))
        found.append(np.stack([t, np.full_like(t, s), standard, adversarial]))
    return _envelope(np.concatenate(found, axis=1))


def _envelope(points: np.ndarray) -> dict[str, np.ndarray]:
    """The points that no other beats in both accuracies."""
    points = points[:, np.lexsort((-points[3], -points[2]))]  # from the most accurate down
    best_before = np.concatenate([[-np.inf], np.maximum.accumulate(points[3])[:-1]])
    kept = points[:, points[3] > best_before][:, ::-1]
    return dict(zip(("t", "spread", "standard_accuracy", "adversarial_accuracy"), kept, strict=True))
