"""Finite samples: how the empirical optimum approaches the theory."""

import numpy as np

from advtool.theory.gaussian.decision import NoMinimiser, TwoGaussians, log_error, threshold
from advtool.theory.monte_carlo import clopper_pearson


def simulate(model: TwoGaussians, shift: float, draws: int, seed: int) -> list[dict]:
    """Learn thresholds from n draws per class, for n = 10, 100, … up to `draws`.

    For standard (shift 0) and adversarial training, ``plug_in`` puts the sample means and deviations into the formula,
    ``empirical`` minimises the errors counted on the sample. Each has its w, its distance ``gap`` from the optimum, and
    its true error; the empirical one also its training error with a 95% interval.
    """
    rng = np.random.default_rng(seed)
    one = rng.normal(0.0, model.sigma1, draws)
    two = rng.normal(model.distance, model.sigma2, draws)
    sizes = sorted({min(10**k, draws) for k in range(1, 10)})
    return [
        {
            "n": n,
            "standard": _learn(model, 0.0, one[:n], two[:n]),
            "adversarial": _learn(model, shift, one[:n], two[:n]),
        }
        for n in sizes
    ]


def _learn(model: TwoGaussians, shift: float, one: np.ndarray, two: np.ndarray) -> dict:
    try:
        best = threshold(model, shift)
    except NoMinimiser:
        best = None
    w, errors = empirical_minimiser(one, two, shift)
    low, high = clopper_pearson(errors, 2 * len(one))
    return {
        "plug_in": _scores(model, shift, _plug_in(one, two, shift), best),
        "empirical": {
            **_scores(model, shift, w, best),
            "training_error": errors / (2 * len(one)),
            "training_error_ci95": [low, high],
        },
    }


def _scores(model: TwoGaussians, shift: float, w: float | None, best: float | None) -> dict:
    if w is None:
        return {"w": None, "gap": None, "error": None}
    return {
        "w": w,
        "gap": None if best is None else abs(w - best),
        "error": float(np.exp(log_error(model, w, shift))),
    }


def _plug_in(one: np.ndarray, two: np.ndarray, shift: float) -> float | None:
    if len(one) < 2:
        return None
    origin = float(one.mean())
    found = TwoGaussians(float(two.mean()) - origin, float(one.std(ddof=1)), float(two.std(ddof=1)))
    try:
        return origin + threshold(found, shift)
    except NoMinimiser:
        return None


def empirical_minimiser(one: np.ndarray, two: np.ndarray, shift: float) -> tuple[float, int]:
    """The threshold with the fewest errors when points move by `shift` towards the other class, and their number."""
    points = np.concatenate([one + shift, two - shift])
    order = np.argsort(points, kind="stable")
    is_one = order < len(one)
    # after the first k points: class 1 beyond them is wrong, class 2 among them is wrong
    wrong = len(one) - np.concatenate([[0], np.cumsum(is_one)]) + np.concatenate([[0], np.cumsum(~is_one)])
    k = int(wrong.argmin())
    ordered = points[order]
    if k == 0:
        return float(ordered[0]) - 1.0, int(wrong[0])
    if k == len(points):
        return float(ordered[-1]), int(wrong[k])
    return float((ordered[k - 1] + ordered[k]) / 2), int(wrong[k])
