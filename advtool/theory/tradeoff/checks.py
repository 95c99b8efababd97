"""How to sample the probabilities of a trade-off report."""

import math

import numpy as np

from advtool.theory.monte_carlo import Claim, normal_tail


def claims(report: dict) -> list[Claim]:
    """One claim per printed accuracy: x_1 and the weighted sum of the weak features are drawn, and attacked."""
    found = []
    for name in ("average", "strong_feature", "rule", "svm_standard", "svm_adversarial", "best_linear"):
        entry = report.get(name)
        if not entry or entry["t"] is None:
            continue
        for key, eps in (("standard_accuracy", 0.0), ("adversarial_accuracy", report["inputs"]["eps"])):
            found.append(_claim(f"{name}.{key}", entry, key, report["inputs"], eps))
    return found


def _claim(name: str, entry: dict, key: str, inputs: dict, eps: float) -> Claim:
    root, p, t = math.sqrt(inputs["dim"]), inputs["p"], entry["t"]
    spread = entry.get("spread", root)
    strong, weak = (1.0, 0.0) if t == math.inf else (t, 1.0)

    def hits(rng: np.random.Generator, n: int) -> np.ndarray:
        x1 = np.where(rng.random(n) < p, 1.0, -1.0)
        z = inputs["eta"] * spread + rng.standard_normal(n)
        return strong * x1 + weak * z - eps * (strong + weak * spread) > 0

    value = entry[key]
    log_value = entry.get(f"log_{key}", math.log(value) if value > 0 else -math.inf)
    weights = None
    if weak and p < 1:
        mean = (inputs["eta"] - eps) * spread - eps * t
        tails = [normal_tail(log_value, -mean - t), normal_tail(log_value, -mean + t)]

        def weights(rng: np.random.Generator, n: int) -> np.ndarray:
            return p * tails[0](rng, n) + (1 - p) * tails[1](rng, n)

    return Claim(name, value, log_value, hits, weights)
