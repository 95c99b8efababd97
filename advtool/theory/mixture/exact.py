"""The exact adversarial risk R_adv of Suggala et al., Definition 2, of linear classifiers under linf and ℓ2.

At a point with a = θ·x > 0 and b = w·x > 0 the attacker can lower b by h(a) = max{−w·δ : ‖δ‖ ≤ ε, θ·δ ≥ −a} and no more
without moving g. Given a, b is N(ca, s²), so R_adv is one integral over a. Both labels y count.
"""

import math
from collections.abc import Callable

import numpy as np
from scipy.special import logsumexp

from advtool.errors import AdvtoolError
from advtool.theory.mixture.risks import Mixture
from advtool.theory.norms import norm
from advtool.theory.tails import log_interval

Reach = Callable[[np.ndarray], np.ndarray]
"""By how much an attack can lower b, as a function of a."""

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(24)


def orthogonal_part(mixture: Mixture) -> float:
    """‖w − cθ‖₂/‖w‖₂, the sine of the angle between w and θ; 0 to rounding is 0."""
    theta = mixture.theta / norm(mixture.theta, 2)
    w = mixture.w / norm(mixture.w, 2)
    sine = norm(w - float(w @ theta) * theta, 2)
    return sine if sine > 4e-16 * math.sqrt(len(w)) else 0.0


def log_adversarial_risk(mixture: Mixture, eps: float, p: float) -> float:
    """log R_adv for p = ∞ or 2. −inf for w parallel to θ, where it is discontinuous: nearby w can have R_adv > 0."""
    if p not in (2, math.inf):
        raise AdvtoolError("the exact adversarial risk is known for linf and l2")
    sine = orthogonal_part(mixture)
    if eps == 0 or sine == 0:
        return -math.inf
    size = norm(mixture.theta, 2)
    c = float(mixture.w / norm(mixture.w, 2) @ (mixture.theta / size))
    s, centre = sine * mixture.sigma, size / mixture.sigma
    # in units where a = unit·x/σ: N(±centre, 1)
    reach, knots = _reach(mixture, eps, p)

    def log_integrand(a: np.ndarray) -> np.ndarray:
        along = c * a * mixture.sigma
        log_density = np.logaddexp(-((a - centre) ** 2) / 2, -((a + centre) ** 2) / 2)
        return log_density + log_interval(-along / s, (reach(a * mixture.sigma) - along) / s)

    edges = _panels(centre, knots / mixture.sigma, s / mixture.sigma / max(abs(c), 1e-300))
    half = np.diff(edges)[:, None] / 2
    a = edges[:-1, None] + half * (1 + _NODES)
    with np.errstate(divide="ignore"):
        total = float(logsumexp(log_integrand(a) + np.log(half * _WEIGHTS))) - math.log(2 * math.pi) / 2
    return min(total, 0.0)


def attack_reach(mixture: Mixture, eps: float, p: float) -> Reach:
    """h as a function of a = θ·x/‖θ‖₂ ≥ 0, in units of ‖w‖₂."""
    return _reach(mixture, eps, p)[0]


def _reach(mixture: Mixture, eps: float, p: float) -> tuple[Reach, np.ndarray]:
    theta = mixture.theta / norm(mixture.theta, 2)
    w = mixture.w / norm(mixture.w, 2)
    return _reach_linf(w, theta, eps) if p == math.inf else _reach_l2(float(w @ theta), orthogonal_part(mixture), eps)


def _panels(centre: float, knots: np.ndarray, width: float) -> np.ndarray:
    """Edges of panels on a ≥ 0 so narrow that the integrand is smooth on each.

    It has kinks at the knots and turns within about `width` of 0 and of places where h(a) = ca, which lie near knots.
    """
    top = centre + 40
    edges = [np.linspace(0, top, 161), np.linspace(max(centre - 9, 0), centre + 9, 73)]
    around = np.concatenate([[0.0], width * np.geomspace(0.05, 60, 40)])
    places = np.unique(np.concatenate([[0.0], knots]))
    for place in places if len(places) <= 200 else places[:1]:
        edges += [place + around, place - around]
    found = np.unique(np.concatenate([*edges, knots]))
    return found[(found >= 0) & (found <= top)]


def _reach_linf(w: np.ndarray, theta: np.ndarray, eps: float) -> tuple[Reach, np.ndarray]:
    """h(a) = min over ν ≥ 0 of νa + ε‖w − νθ‖₁ (the dual of a linear program), and the a at which ν changes."""
    inside = np.abs(theta) > 1e-200  # smaller ones do not count, and would overflow
    ratio = np.where(inside, w / np.where(inside, theta, 1.0), -1.0)
    crossing = inside & (ratio > 0)
    nus, place = np.unique(ratio[crossing], return_inverse=True)
    turn = np.bincount(place, weights=2 * np.abs(theta[crossing]), minlength=len(nus))
    # slopes of ‖w − νθ‖₁ behind ν = 0 and behind each crossing; values there
    first = float(np.abs(theta[~crossing]).sum() - np.abs(theta[crossing]).sum())
    slopes = first + np.concatenate([[0.0], np.cumsum(turn)])
    nus = np.concatenate([[0.0], nus])
    values = norm(w, 1) + np.concatenate([[0.0], np.cumsum(slopes[:-1] * np.diff(nus))])
    knots = -eps * slopes  # falling; ν_k is best for a from knots[k] to knots[k − 1]

    def reach(a: np.ndarray) -> np.ndarray:
        k = np.minimum(np.searchsorted(-knots, -a, side="left"), len(nus) - 1)
        return nus[k] * a + eps * values[k]

    with np.errstate(over="ignore"):  # a crossing at infinity is none
        crossings = [eps * values / (c - nus) for c in [float(w @ theta)] if c != 0 and np.all(nus != c)]
    places = np.concatenate([knots, *crossings])
    return reach, places[(places > 0) & np.isfinite(places)]


def _reach_l2(c: float, sine: float, eps: float) -> tuple[Reach, np.ndarray]:
    """h(a) for unit w and θ with w·θ = c: ε if θ·δ ≥ −a does not bind, else the rest of the ball across θ."""
    knot = eps * max(c, 0.0)

    def reach(a: np.ndarray) -> np.ndarray:
        bound = c * a + sine * np.sqrt(np.maximum(eps * eps - a * a, 0.0))
        return np.where(a >= knot, eps, bound)

    places = np.array([knot, eps / c if c > 0 else 0.0, eps])
    return reach, places[places > 0]
