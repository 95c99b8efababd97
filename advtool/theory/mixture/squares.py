"""Two squares (Fig. 2a of Suggala et al.) and what adversarial risk adds to the logistic loss (Theorem 7).

x | y is uniform on the square of side 2 around (1.2y, 0), P(y = 1) = ¾; the attack is linf. A gap of 0.4 parts them.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit

CENTRE, HALF, POSITIVE = 1.2, 1.0, 0.75
INNER, OUTER = CENTRE - HALF, CENTRE + HALF


def risk(c: ArrayLike, eps: float = 0.0) -> np.ndarray:
    """G of sign(x_1 − c) under the attack; ε = 0 gives R."""
    c = np.asarray(c, float)
    positive = np.clip((c + eps - INNER) / (2 * HALF), 0, 1)
    return POSITIVE * positive + (1 - POSITIVE) * np.clip((eps - INNER - c) / (2 * HALF), 0, 1)


def minimise(eps: float, lam: float = 1.0) -> dict:
    """The threshold that minimises R + λ(G − R) (Eq. 6).

    Piecewise linear, so the minimum is at a breakpoint. Returns ``threshold``, ``risk``, ``adversarial_risk_total``
    (G), ``objective``, and ``risk_highest`` among equal minima (they differ for ε ≥ 1.2 at λ = 1). Of equal minima the
    one with the smallest risk is shown, then the one nearest 0.
    """
    edges = [sign * (edge + shift) for sign in (1, -1) for edge in (INNER, OUTER) for shift in (0.0, -eps)]
    c = np.unique([0.0, *edges])
    r, g = risk(c), risk(c, eps)
    objective = (1 - lam) * r + lam * g
    best = np.flatnonzero(objective <= objective.min() + 1e-12 * (1 + abs(lam)))
    at = min(best, key=lambda i: (round(float(r[i]), 12), abs(c[i])))
    return {
        "threshold": float(c[at]),
        "risk": float(r[at]),
        "adversarial_risk_total": float(g[at]),
        "objective": float(objective[at]),
        "risk_highest": float(r[best].max()),
    }


def _expectation(w: Sequence[float], bias: float, value: Callable[[np.ndarray], np.ndarray]) -> float:
    """E value(g(x) f(x)) for f = w·x + bias and g the sign of x_1, by Gauss–Legendre quadrature."""
    nodes, weights = np.polynomial.legendre.leggauss(20)
    panels = max(1, min(400, math.ceil(max(abs(float(w[0])), abs(float(w[1]))))))
    edges = np.linspace(-HALF, HALF, panels + 1)
    x = (edges[:-1, None] + (1 + nodes) * HALF / panels).ravel()
    weight = np.tile(weights, panels) / (2 * panels)
    total = 0.0
    for y, share in ((1, POSITIVE), (-1, 1 - POSITIVE)):
        f = w[0] * (y * CENTRE + x)[:, None] + w[1] * x + bias
        total += share * float(weight @ value(y * f) @ weight)
    return total


def logistic_adversarial_risk(w: Sequence[float], bias: float, eps: float) -> float:
    """R_adv of the logistic loss: E log[(1 + e^(−gf + ε‖w‖₁))/(1 + e^(−gf))], exact within g's margin (ε ≤ 0.2)."""
    growth = math.expm1(eps * float(np.abs(w).sum()))
    return _expectation(w, bias, lambda z: np.log1p(expit(-z) * growth))


def first_order(w: Sequence[float], bias: float) -> float:
    """Theorem 7: the coefficient E[1/(1 + e^(gf))] ‖w‖₁ of ε in R_adv."""
    return _expectation(w, bias, lambda z: expit(-z)) * float(np.abs(w).sum())
