"""How to sample the probabilities of a Gaussian report."""

import numpy as np

from advtool.theory.monte_carlo import Claim, normal_tail


def claims(report: dict) -> list[Claim]:
    """One claim per printed error."""
    inputs, shift = report["inputs"], report["eps_p"]
    h, s1, s2 = inputs["distance"], inputs["sigma1"], inputs["sigma2"]
    places = [(name, report[name]) for name in ("standard", "adversarial", "randomized")]
    places += [(f"weighted[{i}]", entry) for i, entry in enumerate(report["weighted"])]
    found = []
    for name, entry in places:
        if entry["w"] is None:
            continue
        for key, e in (("standard_error", 0.0), ("adversarial_error", shift)):
            found.append(_claim(f"{name}.{key}", entry, key, h, s1, s2, entry["w"], e))
    if report.get("hyperplane"):
        found.append(_hyperplane_claim(report))
    return found


def _claim(name: str, entry: dict, key: str, h: float, s1: float, s2: float, w: float, shift: float) -> Claim:
    def hits(rng: np.random.Generator, n: int) -> np.ndarray:
        second, z = rng.random(n) < 0.5, rng.standard_normal(n)
        x = np.where(second, h + s2 * z, s1 * z)
        return np.where(second, x - shift <= w, x + shift >= w)

    value, log_value = entry[key], entry[f"log_{key}"]
    weights = normal_tail(log_value, (w - shift) / s1, (h - w - shift) / s2)
    return Claim(name, value, log_value, hits, weights)


def _hyperplane_claim(report: dict) -> Claim:
    """The error of the best hyperplane, sampled in all d dimensions, each point attacked where it hurts most."""
    from advtool.theory.gaussian.decision import TwoGaussians, threshold
    from advtool.theory.norms import dual, norm

    inputs, entry = report["inputs"], report["hyperplane"]
    delta, normal = np.array(inputs["delta"]), np.array(entry["normal"])
    s1, s2 = inputs["sigma1"], inputs["sigma2"]
    reach = inputs["eps"] * norm(normal, dual(inputs["p"]))
    w = reach + threshold(TwoGaussians(entry["separation"], s1, s2))

    def hits(rng: np.random.Generator, n: int) -> np.ndarray:
        second = rng.random(n) < 0.5
        found = np.zeros(n, bool)
        for start in range(0, n, block := max(1, 2**22 // len(delta))):
            part = second[start : start + block]
            z = rng.standard_normal((len(part), len(delta)))
            score = np.where(part[:, None], delta + s2 * z, s1 * z) @ normal
            found[start : start + block] = np.where(part, score - reach <= w, score + reach >= w)
        return found

    separation = entry["separation"]
    value, log_value = entry["adversarial_error"], entry["log_adversarial_error"]
    offset = w - reach
    weights = normal_tail(log_value, offset / s1, (separation - offset) / s2)
    return Claim("hyperplane.adversarial_error", value, log_value, hits, weights)
