"""How to sample the probabilities of a report on the Bernoulli model."""

import numpy as np

from advtool.theory.bernoulli.training import draw
from advtool.theory.monte_carlo import Claim, Draw

_BLOCK = 2**24


def claims(report: dict) -> list[Claim]:
    """One claim per printed exact error, and for each form of Theorem 1 that it holds as often as it says."""
    if "table" in report:
        return []
    tau = np.array(report["inputs"]["tau"])
    weights = {"averaged": tau, "equal": np.ones_like(tau), "weights": report["inputs"].get("weights")}
    weights["robust"] = report["robust_weights"]
    found = []
    for name, entry in report["errors"].items():
        for key, eps in (("standard_error", 0.0), ("adversarial_error", report["inputs"]["eps"])):
            if entry[f"{key}_method"] in ("clt", "bracket"):
                continue
            found.append(_error_claim(f"errors.{name}.{key}", entry, key, np.asarray(weights[name], float), tau, eps))
    found += [_theorem_claim(name, report[name], tau, report["inputs"]["n"]) for name in ("theorem1", "repaired")]
    return found


def _theorem_claim(name: str, entry: dict, tau: np.ndarray, samples: int) -> Claim:
    """How often the average z of `samples` draws has exp(−2⟨z, τ⟩²/‖z‖²) ≤ bound, which implies the claim (Eq. 10)."""
    error_exponent = -entry["log_bound"] / 2

    def hits(rng: np.random.Generator, n: int) -> np.ndarray:
        z = 2 * rng.binomial(samples, 0.5 + tau, size=(n, len(tau))) / samples - 1
        aligned = z @ tau
        length = np.linalg.norm(z, axis=1)
        return (aligned > 0) & (aligned**2 >= error_exponent * length**2 * (1 - 1e-12)) | (error_exponent == 0)

    def drawn(rng: np.random.Generator, n: int) -> np.ndarray:
        rows = max(1, _BLOCK // len(tau))
        return np.concatenate([hits(rng, min(rows, n - start)) for start in range(0, n, rows)])

    return Claim(f"{name}.probability", entry["probability"], entry["log_probability"], drawn, relation=">=")


def _error_claim(name: str, entry: dict, key: str, u: np.ndarray, tau: np.ndarray, eps: float) -> Claim:
    tie = 1e-12 * np.abs(u).sum()

    def hits(rng: np.random.Generator, n: int) -> np.ndarray:
        rows = max(1, _BLOCK // len(tau))
        parts = [draw(rng, tau, min(rows, n - start)) @ u for start in range(0, n, rows)]
        return np.concatenate(parts) <= eps * np.abs(u).sum() + tie

    return Claim(name, entry[key], entry[f"log_{key}"], hits, _tilted(entry[f"log_{key}"], u, tau, eps))


def _tilted(log_value: float, u: np.ndarray, tau: np.ndarray, eps: float) -> Draw:
    """Importance weights: samples drawn with P(s) ∝ e^(−θ u·s), so that the error is common."""
    reach = eps * np.abs(u).sum()
    up = 0.5 + tau

    def tilt(theta: float) -> tuple[np.ndarray, float]:
        for_us, against = up * np.exp(-theta * u), (1 - up) * np.exp(theta * u)
        return for_us / (for_us + against), float(np.log(for_us + against).sum())

    def weights(rng: np.random.Generator, n: int) -> np.ndarray:
        low, high = 0.0, 30.0 / np.abs(u).max()
        for _ in range(50):
            theta = (low + high) / 2
            mean = float((2 * tilt(theta)[0] - 1) @ u)
            low, high = (theta, high) if mean > reach else (low, theta)
        q, log_moment = tilt(low)
        rows, parts = max(1, _BLOCK // len(u)), []
        for start in range(0, n, rows):
            score = np.where(rng.random((min(rows, n - start), len(u))) < q, 1.0, -1.0) @ u
            log_weight = low * score + log_moment - log_value
            parts.append(np.where(score <= reach + 1e-12 * np.abs(u).sum(), np.exp(np.minimum(log_weight, 700)), 0.0))
        return np.concatenate(parts)

    return weights
