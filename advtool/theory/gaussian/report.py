"""The report of ``advtool theory gaussian``."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from advtool.errors import AdvtoolError, UsageError
from advtool.theory.gaussian import bounds, simulation
from advtool.theory.gaussian.decision import NOISE_KINDS, NoMinimiser, TwoGaussians, log_error, threshold
from advtool.theory.gaussian.hyperplane import most_robust
from advtool.theory.gaussian.randomized import NotReachable, noise_for
from advtool.theory.gaussian.table1 import misprints
from advtool.theory.gaussian.weighted import lam_of, minimise
from advtool.theory.norms import norm
from advtool.theory.tails import probability

DEFAULT_LAMS = (0.0, 0.25, 1.0, math.inf)


def report(
    sigma1: float = 3.0,
    sigma2: float = 6.0,
    dim: int = 784,
    distance: float | None = None,
    p: float = math.inf,
    eps: float = 0.5,
    ratio: float | None = None,
    eps_p: float | None = None,
    radius: float | None = None,
    noise: float | None = None,
    noise_kind: str = "sd",
    lam: Sequence[float] = DEFAULT_LAMS,
    delta: Sequence[float] | None = None,
    draws: int = 0,
    seed: int = 0,
) -> dict:
    """Everything about two Gaussians; the defaults are Table 1 of the paper.

    Parameters
    ----------
    distance : ‖μ2 − μ1‖₂; default √dim, as in the paper
    p, eps : norm and radius of the attack
    ratio : ε_p over the largest one that the norm allows; default ½ (linf), 1 (l2)
    eps_p : given instead of `eps` and `ratio`
    radius : of adversarial training, in units of ε_p; default ε_p
    noise, noise_kind : δσ of data-randomised training, default ε_p/2, and what it is added to
    delta : μ2 − μ1 itself, instead of `dim`, `distance` and `ratio`
    draws : if positive, learn from up to so many draws per class, with this `seed`
    """
    for name, value in (("eps", eps), ("eps_p", eps_p), ("radius", radius), ("noise", noise)):
        if value is not None and not 0 <= value < math.inf:
            raise UsageError("must be a finite number, not negative", parameter=name)
    if noise_kind not in NOISE_KINDS:
        message = f"must be one of {', '.join(NOISE_KINDS)}"
        raise UsageError(message, parameter="noise_kind", value=noise_kind)
    means = None if delta is None else np.asarray(delta, float)
    if means is not None:
        if not np.all(np.isfinite(means)) or not means.any():
            raise UsageError("must be finite numbers, not all zero", parameter="delta")
        dim, distance = len(means), norm(means, 2)
    if dim < 1:
        raise UsageError("must be at least 1", parameter="dim")
    distance = math.sqrt(dim) if distance is None else distance
    if not distance > 0:
        raise UsageError("must be positive", parameter="distance")
    model = TwoGaussians(distance, sigma1, sigma2)
    shift, ratio = _shift(dim, p, eps, ratio, eps_p, means)
    radius = shift if radius is None else radius
    noise = shift / 2 if noise is None else noise
    warnings: list[str] = []
    result: dict[str, Any] = {
        "schema": 1,
        "model": "gaussian",
        "inputs": {
            "sigma1": sigma1,
            "sigma2": sigma2,
            "dim": dim,
            "distance": distance,
            **({} if eps_p is not None else {"p": p, "eps": eps, "ratio": ratio}),
            "radius": radius,
            "noise": noise,
            "noise_kind": noise_kind,
            "lam": list(lam),
            **({} if means is None else {"delta": means.tolist()}),
        },
        "eps_p": shift,
        "standard": _errors(model, shift, threshold(model)),
        "adversarial": _adversarial(model, shift, radius, warnings),
        "randomized": _errors(model, shift, threshold(model, noise=noise, kind=noise_kind)),
        "weighted": [_weighted(model, shift, value, warnings) for value in lam],
        "equivalents": _equivalents(model, shift, noise, noise_kind, warnings),
        "bounds": bounds.gap_bounds(model, shift),
    }
    for name in ("adversarial", "randomized"):
        result[name]["change"] = {
            key: result[name][key] - result["standard"][key] for key in ("standard_error", "adversarial_error")
        }
    if eps_p is None and p == math.inf:
        result["bounds"] |= bounds.dimension_bounds(model, dim, eps)
    if shift > distance:
        warnings.append("eps_p is larger than the distance of the classes: the upper bounds do not hold")
    if means is not None:
        result["hyperplane"] = _hyperplane(model, shift, means, eps, p, warnings)
    if draws:
        result["simulation"] = simulation.simulate(model, shift, draws, seed)
    result["misprints"] = misprints(result)
    result["warnings"] = list(dict.fromkeys(warnings))
    return result


def _shift(
    dim: int, p: float, eps: float, ratio: float | None, eps_p: float | None, delta: np.ndarray | None
) -> tuple[float, float | None]:
    if eps_p is not None:
        return float(eps_p), None
    if delta is not None:
        shift = bounds.eps_p(delta, eps, p)
        largest = bounds.eps_p_of_ratio(1.0, dim, eps, p)
        return shift, shift / largest if largest else None
    low, high = bounds.ratio_range(dim, p)
    if ratio is None:
        if p not in (2, math.inf) and low < high:
            raise UsageError("needed for this norm, or the mean difference itself (delta)", parameter="ratio")
        ratio = max(0.5, low) if p == math.inf else 1.0
    return bounds.eps_p_of_ratio(ratio, dim, eps, p), ratio


def _errors(model: TwoGaussians, shift: float, w: float | None) -> dict:
    """The errors at w; in the limit of a threshold that goes to infinity, ½ both."""
    logs = [math.log(0.5)] * 2 if w is None else [float(log_error(model, w, e)) for e in (0.0, shift)]
    return {"w": w, **probability("standard_error", logs[0]), **probability("adversarial_error", logs[1])}


def _adversarial(model: TwoGaussians, shift: float, radius: float, warnings: list[str]) -> dict:
    try:
        w = threshold(model, radius)
    except NoMinimiser as error:
        warnings.append(f"{error}; its limit at infinity is shown")
        w = None
    return {"radius": radius, **_errors(model, shift, w)}


def _weighted(model: TwoGaussians, shift: float, lam: float, warnings: list[str]) -> dict:
    if not lam >= 0:
        raise UsageError("must not be negative", parameter="lam")
    try:
        found = minimise(model, shift, lam)
    except NoMinimiser as error:
        warnings.append(f"{error}; its limit at infinity is shown")
        return {
            "lam": lam,
            **_errors(model, shift, None),
            "unique": False,
            "n_local_minima": 0,
            "outside_interval": True,
        }
    if found.w is None:
        warnings.append(f"lam {lam:g}: no hyperplane beats (1 + lam)/2, the limit at infinity, which is shown")
    elif found.outside_interval:
        warnings.append(f"lam {lam:g}: W_lam is not between W* and the robust optimum (Theorem 1 fails here, G6)")
    return {
        "lam": lam,
        **_errors(model, shift, found.w),
        "unique": found.unique,
        "n_local_minima": found.n_local_minima,
        "outside_interval": found.outside_interval,
    }


def _equivalents(model: TwoGaussians, shift: float, noise: float, kind: str, warnings: list[str]) -> dict:
    """λ of the noise (None past the robust optimum), whether W_λ really is there, and the noise that puts w at w̃*."""
    w = threshold(model, noise=noise, kind=kind)
    lam = lam_of(model, shift, w) if shift > 0 and model.sigma1 != model.sigma2 else None
    optimal = None
    if lam is not None:
        found = minimise(model, shift, lam)
        optimal = found.w is not None and abs(found.w - w) <= 1e-6 * model.scale
        if not optimal:
            warnings.append("the randomised hyperplane is stationary but not optimal for its lam (Theorem 6 fails, G7)")
    try:
        needed = noise_for(model, threshold(model, shift), kind)
    except (NotReachable, NoMinimiser) as error:
        needed = None
        warnings.append(f"noise equivalent to adversarial training: {error}")
    return {"lam_of_noise": lam, "lam_is_optimal": optimal, "noise_of_adversarial": needed}


def _hyperplane(
    model: TwoGaussians, shift: float, delta: np.ndarray, eps: float, p: float, warnings: list[str]
) -> dict | None:
    try:
        found = most_robust(delta, eps, p)
        along = TwoGaussians(found.separation, model.sigma1, model.sigma2)
        log_robust = float(log_error(along, threshold(along)))
        parallel = float(log_error(model, threshold(model, shift), shift))
    except AdvtoolError as error:
        warnings.append(f"robust hyperplane: {error}")
        return None
    cosine = min(abs(float(found.normal @ delta)) / norm(delta, 2), 1.0)
    return {
        "separation": found.separation,
        "separation_parallel": model.distance - 2 * shift,
        **probability("adversarial_error", log_robust),
        **probability("adversarial_error_parallel", parallel),
        "cosine": cosine,
        "normal": found.normal.tolist(),
    }
