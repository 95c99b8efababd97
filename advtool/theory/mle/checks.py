"""How to sample the expectations of a report on maximum likelihood (it has no probabilities)."""

from collections.abc import Callable

import numpy as np

from advtool.theory.monte_carlo import Claim, Draw


def claims(report: dict) -> list[Claim]:
    """That the attack on the learned covariance uses ε² on average, that no other variance does better, Theorem 1."""
    s, eps = np.array(report["inputs"]["variances"]), report["inputs"]["eps"]
    robust, found = np.array(report["robust_covariance"]), []

    def draws(rng: np.random.Generator, n: int, value: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        rows = max(1, 2**22 // len(s))
        parts = [value(rng.standard_normal((min(rows, n - i), len(s))) * np.sqrt(s)) for i in range(0, n, rows)]
        return np.concatenate(parts)

    if eps > 0:
        stretch = 1 / (report["lam"] * robust - 1)  # δ = (λΣ − I)⁻¹v
        found.append(
            _mean("attack_squared", eps**2, lambda rng, n: draws(rng, n, lambda v: ((stretch * v) ** 2).sum(1)))
        )

    def fit(v: np.ndarray) -> np.ndarray:  # the covariance that a maximum-likelihood fit to attacked points finds
        attacked = v * (1 + stretch) if eps > 0 else v
        return (attacked**2 / robust).mean(1)

    found.append(_mean("attacked_variance_ratio", 1.0, lambda rng, n: draws(rng, n, fit)))
    if "excess_loss" in report:
        penalty, half = report["inputs"]["penalty"], 0.5 if report["inputs"]["convention"] == "nll" else 1.0

        def excess(v: np.ndarray) -> np.ndarray:
            delta = v / (penalty / half * s - 1)
            return half * (((v + delta) ** 2 - v**2) / s).sum(1)

        found.append(_mean("excess_loss", report["excess_loss"], lambda rng, n: draws(rng, n, excess)))
    return found


def _mean(name: str, value: float, draw: Draw) -> Claim:
    return Claim(name, value, 0.0, draw, is_mean=True)
