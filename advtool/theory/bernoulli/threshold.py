"""The threshold τ* below which robust training gives a feature no weight: what Collins et al. leave open.

At u_j = 0 the feature is independent of the margin, so the subgradient condition is 2τ_j A ≤ ε A with A = E σ(−margin):
full robust training keeps exactly the features with 2τ_j > ε, in any dimension. With a fraction π of attacked steps,
τ* = (ε/2) πA₁/((1 − π)A₀ + πA₁), where A₀ and A₁ are the means of σ(−margin) clean and attacked.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, log_expit

from advtool.errors import UsageError
from advtool.theory.bernoulli.error import check_tau
from advtool.theory.roots import bisect, bisect_log

_EXACT_UP_TO = 12


@dataclass(frozen=True)
class Population:
    """What training converges to with infinite data.

    Attributes
    ----------
    threshold : τ*
    weights : u ≥ 0, shape d; None if there is no finite optimum (some τ_j = ½ and ε ≤ 1)
    method : ``closed form``, ``enumeration`` of the 2^d outcomes, or ``normal`` approximation of the margin
    """

    threshold: float
    weights: np.ndarray | None
    method: str


def population(tau: ArrayLike, eps: float, mix: float = 0.5) -> Population:
    """Minimise (1 − π) E ℓ(M) + π E ℓ(M − ε‖u‖₁) over u, ℓ logistic and π = `mix` the fraction of attacked steps."""
    tau = check_tau(tau)
    if not 0 <= mix <= 1:
        raise UsageError("must be from 0 to 1", parameter="mix")
    if 2 * float(tau.max()) <= mix * eps:
        return Population(mix * eps / 2, np.zeros_like(tau), "closed form")
    if float(tau.max()) == 0.5 and eps <= 1:
        return Population(eps / 2 if mix > 0 else 0.0, None, "closed form")
    if len(tau) <= _EXACT_UP_TO:
        weights = _enumerated_optimum(tau, eps, mix)
        return Population(_from_pulls(eps, mix, *_enumerated_pulls(weights, tau, eps)), weights, "enumeration")
    pulls = _Normal(tau, eps, mix)
    if mix * eps == 0 or mix == 1:
        at = mix * eps / 2
    else:
        top = min(eps / 2, float(tau.max()) * (1 - 1e-9))
        at = bisect(lambda t: _from_pulls(eps, mix, *pulls(pulls.weights(t))) - t, mix * eps / 2, top)
    return Population(at, pulls.weights(at), "normal")


def _from_pulls(eps: float, mix: float, clean: float, attacked: float) -> float:
    return eps / 2 * mix * attacked / ((1 - mix) * clean + mix * attacked)


class _Normal:
    """The margin as a normal variable. At threshold t the optimum has u_j ∝ (τ_j − t)⁺/(1 − 4τ_j²)."""

    def __init__(self, tau: np.ndarray, eps: float, mix: float):
        self.tau, self.eps, self.mix = tau, eps, mix
        nodes, weights = np.polynomial.hermite_e.hermegauss(80)
        self.nodes, self.node_weights = nodes, weights / math.sqrt(2 * math.pi)

    def weights(self, at: float) -> np.ndarray:
        """The best u for this threshold: its direction is known, its length is where the loss has no slope."""
        direction = np.maximum(self.tau - at, 0) / np.maximum(1 - 4 * self.tau**2, 1e-9)
        direction /= direction.sum()
        mean, sd = self._moments(direction)
        pull = mean + sd * self.nodes

        def slope(length: float) -> float:
            clean, attacked = self._sigma(length * mean, length * sd, length)  # the direction sums to 1
            return -float(self.node_weights @ ((1 - self.mix) * clean * pull + self.mix * attacked * (pull - self.eps)))

        low = high = 1e-9
        while slope(high) < 0 and high < 1e12:
            low, high = high, 4 * high
        return direction * (bisect_log(slope, low, high) if low < high else low)

    def __call__(self, u: np.ndarray) -> tuple[float, float]:
        """A₀ and A₁, both times the same number."""
        clean, attacked = self._sigma(*self._moments(u), float(u.sum()))
        return float(self.node_weights @ clean), float(self.node_weights @ attacked)

    def _moments(self, u: np.ndarray) -> tuple[float, float]:
        return 2 * float(u @ self.tau), math.sqrt(float(u**2 @ (1 - 4 * self.tau**2)))

    def _sigma(self, mean: float, sd: float, length: float) -> tuple[np.ndarray, np.ndarray]:
        """σ(−margin) clean and attacked at the nodes, of weights with these moments and l1 norm.

        Both times the same number, so that they do not underflow where the classes are far apart.
        """
        margin = mean + sd * self.nodes
        logs = log_expit(-margin), log_expit(self.eps * length - margin)
        largest = max(float(log.max()) for log in logs)
        return np.exp(logs[0] - largest), np.exp(logs[1] - largest)


def _enumerate(tau: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All s ∈ {±1}^d, shape 2^d × d, and their probabilities."""
    bits = (np.arange(2 ** len(tau))[:, None] >> np.arange(len(tau))) & 1
    s = 1.0 - 2.0 * bits
    return s, np.prod(0.5 + s * tau, axis=1)


def _enumerated_pulls(u: np.ndarray, tau: np.ndarray, eps: float) -> tuple[float, float]:
    s, p = _enumerate(tau)
    return float(p @ expit(-s @ u)), float(p @ expit(eps * u.sum() - s @ u))


def _enumerated_optimum(tau: np.ndarray, eps: float, mix: float) -> np.ndarray:
    """Newton's method on the features with weight, adding or dropping one as the optimality conditions ask."""
    s, p = _enumerate(tau)
    u = np.zeros_like(tau)
    for _ in range(500):
        gradient, hessian = _derivatives(u, s, p, eps, mix)
        free = (u > 0) | (gradient < -1e-15)
        if np.all(np.abs(gradient[free]) < 1e-15):
            break
        step = np.zeros_like(u)
        curved = hessian[np.ix_(free, free)] + 1e-14 * np.eye(int(free.sum()))
        step[free] = -np.linalg.solve(curved, gradient[free])
        value, length = _loss(u, s, p, eps, mix), 1.0
        while _loss(np.maximum(u + length * step, 0), s, p, eps, mix) > value and length > 1e-10:
            length /= 2
        moved = np.maximum(u + length * step, 0)
        if np.array_equal(moved, u):
            break
        u = moved
    return u


def _loss(u: np.ndarray, s: np.ndarray, p: np.ndarray, eps: float, mix: float) -> float:
    margin = s @ u
    losses = (1 - mix) * np.logaddexp(0, -margin) + mix * np.logaddexp(0, eps * u.sum() - margin)
    return float(p @ losses)


def _derivatives(u: np.ndarray, s: np.ndarray, p: np.ndarray, eps: float, mix: float) -> tuple[np.ndarray, np.ndarray]:
    gradient, hessian = np.zeros_like(u), np.zeros((len(u), len(u)))
    for share, pulled in ((1 - mix, s), (mix, s - eps)):
        sigma = expit(-pulled @ u)
        gradient -= share * (p * sigma) @ pulled
        hessian += share * (pulled * (p * sigma * (1 - sigma))[:, None]).T @ pulled
    return gradient, hessian
