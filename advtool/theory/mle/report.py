"""The report of ``advtool theory mle``."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from advtool.errors import AdvtoolError, UsageError
from advtool.theory.mle.alignment import alignment, worst_alignment, worst_mean
from advtool.theory.mle.covariance import check_variances, lam_bounds, robust_covariance
from advtool.theory.mle.perturbation import CONVENTIONS, excess_loss, quadratic, worst_perturbation


def report(
    variances: Sequence[float] = (1.0, 100.0),
    eps: float = 1.0,
    mu: Sequence[float] | None = None,
    penalty: float | None = None,
    convention: str = "nll",
    residual: Sequence[float] | None = None,
) -> dict:
    """Robust covariance, λ with its bounds, alignment, and on demand Theorem 1 and the worst perturbation of a point.

    Parameters
    ----------
    variances : diagonal of Σ*
    eps : ℓ2 radius
    mu : class mean; default the one whose standard classifier is aligned worst
    penalty, convention : C of Theorem 1, and its convention (``nll`` or ``paper``)
    residual : v = x − μ, to perturb by Lemma 1
    """
    s = check_variances(variances)
    if not 0 <= eps < math.inf:
        raise UsageError("must be a finite number, not negative", parameter="eps")
    if convention not in CONVENTIONS:
        raise UsageError("must be nll or paper", parameter="convention", value=convention)
    mean = worst_mean(s) if mu is None else np.asarray(mu, float)
    if mean.shape != s.shape or not np.all(np.isfinite(mean)) or not mean.any():
        raise UsageError(f"must be {len(s)} finite numbers, not all zero", parameter="mu")
    robust = robust_covariance(s, eps)
    result: dict[str, Any] = {
        "schema": 1,
        "model": "mle",
        "inputs": {"variances": s.tolist(), "eps": eps, "mu": None if mu is None else mean.tolist()},
        "lam": robust.lam,
        "lam_bounds": lam_bounds(s, eps),
        "robust_covariance": robust.variances.tolist(),
        "condition_standard": float(s.max() / s.min()),
        "condition_robust": float(robust.variances.max() / robust.variances.min()),
        "alignment_standard": alignment(mean, s),
        "alignment_robust": alignment(mean, robust.variances),
        "worst_alignment_standard": worst_alignment(s),
        "worst_alignment_robust": worst_alignment(robust.variances),
        "worst_mean": (mean if mu is None else worst_mean(s)).tolist(),
        "warnings": [],
    }
    if penalty is not None:
        result["inputs"] |= {"penalty": penalty, "convention": convention}
        result["excess_loss"] = _excess(s, penalty, convention)
    if residual is not None:
        delta, lam = worst_perturbation(residual, s, eps)
        before, after = quadratic(residual, s), quadratic(np.asarray(residual, float) + delta, s)
        result["inputs"]["residual"] = list(residual)
        result["perturbation"] = {"delta": delta.tolist(), "lam": lam, "loss": before, "loss_perturbed": after}
    return result


def _excess(s: np.ndarray, penalty: float, convention: str) -> float:
    if not math.isfinite(penalty):
        raise UsageError("must be a finite number", parameter="penalty")
    try:
        return excess_loss(s, penalty, convention)
    except AdvtoolError as error:
        raise UsageError(str(error), parameter="penalty", value=f"{penalty:g}") from None
