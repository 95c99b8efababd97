"""How to sample the probabilities of a mixture report."""

import math

import numpy as np
from numpy.typing import ArrayLike

from advtool.theory.mixture import corollaries, squares
from advtool.theory.mixture.exact import attack_reach
from advtool.theory.mixture.risks import Mixture
from advtool.theory.monte_carlo import Claim, Draw, normal_tail
from advtool.theory.norms import dual, norm


def claims(report: dict) -> list[Claim]:
    """One claim per printed risk, and bounds as bounds."""
    return _CASES[report["case"]](report, report["inputs"])


def _claim(name: str, entry: dict, hits: Draw, threshold: float | None = None, relation: str = "==") -> Claim:
    """`threshold`: the risk is Q(threshold), for sampling it where it is small."""
    key = name.rsplit(".", 1)[-1]
    log_value = entry.get(f"log_{key}", -math.inf if entry[key] <= 0 else math.log(entry[key]))
    weights = None if threshold is None else normal_tail(log_value, threshold)
    return Claim(name, entry[key], log_value, hits, weights, relation)


def _total(name: str, entry: dict, theta: ArrayLike, w: ArrayLike, sigma: float, eps: float, p: float) -> Claim:
    """Points of both classes are drawn along w, moved by ε‖w‖_q, and classified."""
    theta, w = np.asarray(theta, float), np.asarray(w, float)
    size = norm(w, 2)
    mean, reach = float(w @ theta) / size, eps * norm(w, dual(p)) / size

    def hits(rng: np.random.Generator, n: int) -> np.ndarray:
        y = np.where(rng.random(n) < 0.5, 1.0, -1.0)
        return y * (y * mean + sigma * rng.standard_normal(n)) <= reach

    return _claim(name, entry, hits, (mean - reach) / sigma)


def _relative(theta: ArrayLike, w: ArrayLike, sigma: float, eps: float, p: float) -> Draw:
    """Points are drawn in the plane of θ and w; hit: f = g there, and an attack that g does not feel changes f."""
    mixture = Mixture(np.asarray(theta, float), np.asarray(w, float), sigma)
    unit = mixture.theta / norm(mixture.theta, 2)
    along = float(mixture.w @ unit) / norm(mixture.w, 2)
    across = norm(mixture.w / norm(mixture.w, 2) - along * unit, 2)
    reach, size = attack_reach(mixture, eps, p), norm(mixture.theta, 2)

    def hits(rng: np.random.Generator, n: int) -> np.ndarray:
        y = np.where(rng.random(n) < 0.5, 1.0, -1.0)
        a = y * size + sigma * rng.standard_normal(n)
        b = along * a + across * sigma * rng.standard_normal(n)
        sign = np.where(a > 0, 1.0, -1.0)
        return (sign * b > 0) & (sign * b < reach(sign * a))

    return hits


def _mixture(report: dict, inputs: dict) -> list[Claim]:
    setting = (inputs["theta"], inputs["w"], inputs["sigma"])
    found = [
        _total("risk", report, *setting, 0.0, 2.0),
        _total("bayes_risk", report, inputs["theta"], inputs["theta"], inputs["sigma"], 0.0, 2.0),
        _total("adversarial_risk_total", report, *setting, inputs["eps"], inputs["p"]),
    ]
    if report["adversarial_risk"] is not None:
        hits = _relative(*setting, inputs["eps"], inputs["p"])
        found.append(_claim("adversarial_risk", report, hits if report["adversarial_risk"] else _never))
        found.append(_claim("repaired_bound", report, hits if report["adversarial_risk"] else _never, relation="<="))
    return found


def _never(rng: np.random.Generator, n: int) -> np.ndarray:
    return np.zeros(n, bool)


def _corollary2(report: dict, inputs: dict) -> list[Claim]:
    dim, first = inputs["dim"], np.zeros(inputs["dim"])
    theta, first[0] = np.full(dim, 1 / math.sqrt(dim - 1)), 1.0
    theta[0] = 1.0
    return [
        _total(f"{name}.adversarial_risk_total", report[name], theta, w, inputs["sigma"], inputs["eps"], math.inf)
        for name, w in (("bayes", theta), ("first_coordinate", first))
    ]


def _corollary3(report: dict, inputs: dict) -> list[Claim]:
    mixture = corollaries.sparse_classifier(inputs["theta_squared"], inputs["free"], inputs["sigma"])
    size = math.sqrt(inputs["theta_squared"])

    def excess(rng: np.random.Generator, n: int) -> np.ndarray:  # f is wrong and g right, less g wrong and f right
        g = size + inputs["sigma"] * rng.standard_normal(n)
        f = size * g + inputs["sigma"] * rng.standard_normal(n)
        return (f < 0).astype(float) - (g < 0)

    hits = _relative(mixture.theta, mixture.w, inputs["sigma"], inputs["eps"], math.inf)
    return [
        Claim("excess_risk", report["excess_risk"], report["log_excess_risk"], excess, is_mean=True),
        _claim("adversarial_risk", report, hits),
    ]


def _corollary4(report: dict, inputs: dict) -> list[Claim]:
    size, l1 = norm(inputs["theta"], 2), norm(inputs["theta"], 1)

    def hits(entry: dict) -> Draw:
        reach = inputs["eps"] * (entry["c"] * l1 + entry["alpha_l1"]) / entry["c"]
        return lambda rng, n: np.abs(size * (size + inputs["sigma"] * rng.standard_normal(n))) <= reach

    names = ("printed_start", "repaired_start", "repaired_start_at_theta")
    return [_claim(f"{name}.adversarial_risk", report[name], hits(report[name])) for name in names]


def _draw_squares(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    y = np.where(rng.random(n) < squares.POSITIVE, 1.0, -1.0)
    return y, y * squares.CENTRE + rng.uniform(-1, 1, n), rng.uniform(-1, 1, n)


def _squares(report: dict, inputs: dict) -> list[Claim]:
    def hits(eps: float) -> Draw:
        def draw(rng: np.random.Generator, n: int) -> np.ndarray:
            y, x1, _ = _draw_squares(rng, n)
            return y * (x1 - report["threshold"]) - eps < 0

        return draw

    return [
        _claim("risk", report, hits(0.0)),
        _claim("adversarial_risk_total", report, hits(inputs["eps"])),
    ]


def _theorem7(report: dict, inputs: dict) -> list[Claim]:
    w, reach = inputs["w"], inputs["eps"] * (abs(inputs["w"][0]) + abs(inputs["w"][1]))

    def losses(rng: np.random.Generator, n: int) -> np.ndarray:
        y, x1, x2 = _draw_squares(rng, n)
        z = y * (w[0] * x1 + w[1] * x2 + inputs["bias"])
        return np.logaddexp(0, reach - z) - np.logaddexp(0, -z)

    return [Claim("adversarial_loss", report["adversarial_loss"], 0.0, losses, is_mean=True)]


_CASES = {
    "mixture": _mixture,
    "corollary2": _corollary2,
    "corollary3": _corollary3,
    "corollary4": _corollary4,
    "squares": _squares,
    "theorem7": _theorem7,
}
