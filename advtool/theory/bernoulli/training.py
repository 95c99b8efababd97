"""The paper's recipe (App. B.2) in numpy, several attack radii at once: Table 1 and Figure 2."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit

from advtool.theory.bernoulli.error import check_tau

SAMPLES, STEPS, RATE, BETA1, BETA2, TINY = 10_000, 100, 0.01, 0.9, 0.999, 1e-8


@dataclass(frozen=True)
class Trained:
    """Weights u = wθ, shape d × k: column 0 of standard training, then one per radius; and accuracies on fresh samples.

    `standard` and `robust` have shape k: accuracies of each column, clean and attacked; `standard_robust`: column 0
    attacked at each radius (entry 0 unattacked).
    """

    weights: np.ndarray
    standard: np.ndarray
    robust: np.ndarray
    standard_robust: np.ndarray


def draw(rng: np.random.Generator, tau: np.ndarray, n: int) -> np.ndarray:
    """n samples of s = yθx ∈ {±1}^d, as float32. By symmetry neither y nor θ need be drawn."""
    return np.where(rng.random((n, len(tau)), dtype=np.float32) < 0.5 + tau, np.float32(1), np.float32(-1))


def train(tau: ArrayLike, radii: Sequence[float], seed: int, samples: int = SAMPLES) -> Trained:
    """Adam(0.01, 0.9, 0.999) on the summed logistic loss from zero, 100 full-batch steps.

    Every other step, beginning with the first, attacks by FGSM, δ = −ε y sign(w): then the loss is
    log(1 + exp(−(u·s − ε‖u‖₁))).
    """
    tau = check_tau(tau).astype(np.float32)
    rng = np.random.default_rng(seed)
    s = draw(rng, tau, samples)
    eps = np.concatenate([[0.0], np.asarray(radii, float)]).astype(np.float32)
    u = np.zeros((len(tau), len(eps)), np.float32)
    first, second = np.zeros_like(u), np.zeros_like(u)
    for step in range(1, STEPS + 1):
        attack = eps if step % 2 == 1 else np.zeros_like(eps)
        sigma = expit(attack * np.abs(u).sum(0) - s @ u)
        gradient = attack * np.sign(u) * sigma.sum(0) - s.T @ sigma
        first = BETA1 * first + (1 - BETA1) * gradient
        second = BETA2 * second + (1 - BETA2) * gradient**2
        corrected = second / (1 - BETA2**step)
        u = u - RATE * (first / (1 - BETA1**step)) / (np.sqrt(corrected) + TINY)
    margins = draw(rng, tau, samples) @ u
    reach = eps * np.abs(u).sum(0)
    reach0 = eps * np.abs(u[:, 0]).sum()
    return Trained(
        weights=u.astype(float),
        standard=(margins > 0).mean(0),
        robust=(margins > reach).mean(0),
        standard_robust=(margins[:, :1] > reach0).mean(0),
    )


def table1(
    tau: ArrayLike, radii: Sequence[float], seeds: int, first_seed: int = 0, samples: int = SAMPLES
) -> list[dict]:
    """Table 1: mean and standard deviation over seeds, one row per radius; the row of ε = 0 is standard training.

    Keys: ``standard_standard``, ``standard_robust`` (standard training, attacked), ``robust_standard``,
    ``robust_robust``; each ``{"mean", "sd"}`` of an accuracy, sd None for one seed.
    """
    radii = [r for r in radii if r > 0]
    runs = [train(tau, radii, seed, samples) for seed in range(first_seed, first_seed + seeds)]
    rows = [{"eps": 0.0, "standard_standard": _summary([run.standard[0] for run in runs])}]
    for k, eps in enumerate(radii, start=1):
        rows.append(
            {
                "eps": eps,
                "standard_standard": _summary([run.standard[0] for run in runs]),
                "standard_robust": _summary([run.standard_robust[k] for run in runs]),
                "robust_standard": _summary([run.standard[k] for run in runs]),
                "robust_robust": _summary([run.robust[k] for run in runs]),
            }
        )
    return rows


def _summary(values: list[float]) -> dict:
    return {"mean": float(np.mean(values)), "sd": float(np.std(values, ddof=1)) if len(values) > 1 else None}
