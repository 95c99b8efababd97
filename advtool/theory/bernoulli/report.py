"""The report of ``advtool theory bernoulli``."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from advtool.errors import UsageError
from advtool.theory.bernoulli.averaged import repaired, theorem1
from advtool.theory.bernoulli.error import check_tau, linear_error
from advtool.theory.bernoulli.threshold import population
from advtool.theory.bernoulli.training import SAMPLES, table1, train
from advtool.theory.tails import probability

PRINTED = {  # Table 1: standard training attacked, robust training clean and attacked
    0.1: (0.924, 0.989, 0.940),
    0.2: (0.685, 0.987, 0.797),
    0.3: (0.323, 0.978, 0.605),
    0.4: (0.0008, 0.970, 0.388),
    0.5: (0.0001, 0.952, 0.240),
}


def report(
    dim: int = 100,
    tau_max: float = 0.25,
    eps: float = 0.5,
    n: int = SAMPLES,
    mix: float = 0.5,
    tau: Sequence[float] | None = None,
    weights: Sequence[float] | None = None,
) -> dict:
    """Theorem 1 and its repaired form, exact errors, and the threshold τ*.

    Parameters
    ----------
    dim, tau_max : τ = linspace(0, tau_max, dim), as in the paper; or `tau` itself
    eps : linf radius
    n : number of samples of Theorem 1
    mix : fraction π of attacked steps in robust training; ½ in the paper
    weights : a classifier w θ whose errors are wanted too
    """
    signal = _tau(dim, tau_max, tau)
    if not 0 <= eps < math.inf:
        raise UsageError("must be a finite number, not negative", parameter="eps")
    if n < 1:
        raise UsageError("must be at least 1", parameter="n")
    learned = population(signal, eps, mix)
    classifiers = {"averaged": signal, "equal": np.ones_like(signal)}
    if weights is not None:
        if len(weights) != len(signal):
            raise UsageError(f"{len(weights)} numbers for {len(signal)} features", parameter="weights")
        classifiers["weights"] = np.asarray(weights, float)
    if learned.weights is not None and learned.weights.any():
        classifiers["robust"] = learned.weights
    warnings: list[str] = []
    if signal.min() == 0:
        warnings.append("min tau is 0: outside Definition 1, and the bound of Theorem 1 is 1 (B4)")
    if not signal.any():
        warnings.append("all tau are 0: nothing can be learned")
    if learned.weights is None:
        warnings.append("a feature with tau 1/2 decides alone: the loss has no finite optimum, and the limit is shown")
    elif not learned.weights.any():
        warnings.append("robust training gives every feature weight 0 at this eps and mix")
    at = {"dim": len(signal), "tau_max": float(signal.max()), "eps": eps, "n": n, "mix": mix, "tau": signal.tolist()}
    if weights is not None:
        at["weights"] = list(weights)
    return {
        "schema": 1,
        "model": "bernoulli",
        "inputs": at,
        "theorem1": theorem1(signal, n),
        "repaired": repaired(signal, n),
        "errors": {name: _errors(w, signal, eps) for name, w in classifiers.items()},
        "threshold": learned.threshold,
        "threshold_of_robust_training": eps / 2,
        "threshold_method": learned.method,
        "features_kept": int(np.count_nonzero(signal > learned.threshold)),
        "robust_weights": None if learned.weights is None else learned.weights.tolist(),
        "warnings": warnings,
    }


def _tau(dim: int, tau_max: float, tau: Sequence[float] | None) -> np.ndarray:
    if tau is not None:
        return check_tau(tau)
    if dim < 1:
        raise UsageError("must be at least 1", parameter="dim")
    return check_tau(np.linspace(0, tau_max, dim) if dim > 1 else [tau_max])


def _errors(weights: np.ndarray, tau: np.ndarray, eps: float) -> dict:
    result: dict[str, Any] = {}
    for name, radius in (("standard_error", 0.0), ("adversarial_error", eps)):
        found = linear_error(weights, tau, radius)
        result |= probability(name, found.log_error)
        result[f"{name}_method"] = found.method
        if found.method == "bracket" and found.log_low is not None and found.log_high is not None:
            result[f"{name}_bounds"] = [math.exp(found.log_low), math.exp(found.log_high)]
    return result


def table_report(
    dim: int = 100,
    tau_max: float = 0.25,
    eps: Sequence[float] = tuple(PRINTED),
    n: int = SAMPLES,
    seeds: int = 10,
    seed: int = 0,
    tau: Sequence[float] | None = None,
) -> dict:
    """Table 1 by the paper's recipe over several seeds, beside what the paper prints."""
    signal = _tau(dim, tau_max, tau)
    rows = table1(signal, eps, seeds, seed, n)
    for row in rows:
        if printed := PRINTED.get(row["eps"]):
            row["printed"] = dict(zip(("standard_robust", "robust_standard", "robust_robust"), printed, strict=True))
    inputs = {"dim": len(signal), "tau_max": float(signal.max()), "n": n, "seeds": seeds, "seed": seed}
    return {"schema": 1, "model": "bernoulli", "inputs": inputs, "table": rows, "warnings": []}


def trained_weights(report: dict, seed: int = 0) -> dict[str, np.ndarray]:
    """Figure 2: weights after standard and robust training by the recipe, each of unit length."""
    tau, eps = report["inputs"]["tau"], report["inputs"]["eps"]
    u = train(tau, [eps], seed, report["inputs"]["n"]).weights
    u = u / np.maximum(np.linalg.norm(u, axis=0), 1e-300)
    return {"standard": u[:, 0], "robust": u[:, 1]}
