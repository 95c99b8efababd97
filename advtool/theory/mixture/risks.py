"""Classification risk R and the usual adversarial risk G_adv of linear classifiers, and bounds on R_adv (Theorem 1)."""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import log_ndtr

from advtool.errors import UsageError
from advtool.theory.norms import dual, norm


@dataclass(frozen=True)
class Mixture:
    """θ and σ of the mixture, and the weights w of a classifier sign(w·x)."""

    theta: np.ndarray
    w: np.ndarray
    sigma: float

    def __post_init__(self) -> None:
        for name in ("theta", "w"):
            value = np.atleast_1d(np.asarray(getattr(self, name), float))
            if not np.all(np.isfinite(value)):
                raise UsageError("must be finite numbers", parameter=name)
            if not value.any():
                raise UsageError("must not be zero", parameter=name)
            object.__setattr__(self, name, value)
        if self.theta.shape != self.w.shape:
            raise UsageError(f"theta has {len(self.theta)} coordinates and w has {len(self.w)}")
        if not (math.isfinite(self.sigma) and self.sigma > 0):
            raise UsageError("must be a positive number", parameter="sigma")


def log_risk(mixture: Mixture) -> float:
    """log R = log Φ(−w·θ/(σ‖w‖₂))."""
    return _log_shifted(mixture, mixture.w, 0.0, math.inf)


def log_adversarial_risk_total(mixture: Mixture, eps: float, p: float) -> float:
    """log G_adv = log Φ((ε‖w‖_q − w·θ)/(σ‖w‖₂)): every perturbation that makes an error counts."""
    return _log_shifted(mixture, mixture.w, eps, p)


def log_bound3(mixture: Mixture, eps: float, p: float) -> float | None:
    """The paper's bound on R_adv (Theorem 1, part 3), which is false (erratum X1); None for w = θ: undefined.

    It is log Φ((ε‖u‖_q − u·θ)/(σ‖u‖₂)) with u = w − θ, and changes when w is scaled.
    """
    u = mixture.w - mixture.theta
    return _log_shifted(mixture, u, eps, p) if u.any() else None


def log_repaired_bound(mixture: Mixture, eps: float, p: float) -> tuple[float, float]:
    """The best of the bounds R_adv ≤ Φ((ε‖u‖_q − u·θ)/(σ‖u‖₂)) + Φ(−‖θ‖₂/σ), u = w − νθ, and its ν ≥ 0.

    The second term is what the paper's proof drops: points on the wrong side of g. Every ν gives a bound.
    """
    missed = float(log_ndtr(-norm(mixture.theta, 2) / mixture.sigma))

    def first(nu: float) -> float:
        u = mixture.w - nu * mixture.theta
        return _log_shifted(mixture, u, eps, p) if u.any() else 0.0

    size = norm(mixture.w, 2) / norm(mixture.theta, 2)
    grid = [0.0, 1.0, *(size * np.geomspace(1e-3, 1e2, 101 if len(mixture.w) <= 100_000 else 5))]
    nu = min(grid, key=first)
    step = nu * 0.12
    while step > 1e-6 * nu:
        nu = min(nu, max(nu - step, 0.0), nu + step, key=first)
        step /= 1.5
    return min(float(np.logaddexp(first(nu), missed)), 0.0), float(nu)


def _log_shifted(mixture: Mixture, u: np.ndarray, eps: float, p: float) -> float:
    length = norm(u, 2)
    unit = u / length
    return float(log_ndtr((eps * norm(unit, dual(p)) - float(unit @ mixture.theta)) / mixture.sigma))
