"""The reports of ``advtool theory mixture``, one per case: a classifier, the corollaries, two squares, Theorem 7."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from advtool.errors import UsageError
from advtool.theory.mixture import corollaries, squares
from advtool.theory.mixture.exact import log_adversarial_risk, orthogonal_part
from advtool.theory.mixture.risks import (
    Mixture,
    log_adversarial_risk_total,
    log_bound3,
    log_repaired_bound,
    log_risk,
)
from advtool.theory.norms import norm
from advtool.theory.tails import probability

CASES = ("mixture", "corollary2", "corollary3", "corollary4", "squares", "theorem7")


def report(
    theta: Sequence[float] = (2.0, 0.0),
    w: Sequence[float] = (1.0, 1.0),
    sigma: float = 1.0,
    eps: float = 0.5,
    p: float = math.inf,
) -> dict:
    """R, G_adv, the exact R_adv (linf and ℓ2), bound (3) and the repaired bound of one classifier."""
    _check(eps=eps)
    mixture = Mixture(np.asarray(theta, float), np.asarray(w, float), sigma)
    warnings: list[str] = []
    sine = orthogonal_part(mixture)
    result = {
        **_head("mixture", theta=list(map(float, theta)), w=list(map(float, w)), sigma=sigma, eps=eps, p=p),
        **probability("risk", log_risk(mixture)),
        **probability("bayes_risk", _log_bayes(mixture)),
        **probability("adversarial_risk_total", log_adversarial_risk_total(mixture, eps, p)),
        "adversarial_risk": None,
        "bound3": None,
    }
    if p in (2, math.inf):
        result |= probability("adversarial_risk", log_adversarial_risk(mixture, eps, p))
        if sine**2 < 1e-12 and eps > 0:
            warnings.append("w is parallel to theta, where R_adv jumps: classifiers as near as you like have R_adv > 0")
    else:
        warnings.append("the exact adversarial risk is known for linf and l2 only")
    if (bound := log_bound3(mixture, eps, p)) is not None:
        result |= probability("bound3", bound)
        if result["adversarial_risk"] is not None and result["log_adversarial_risk"] > bound + 1e-12:
            warnings.append("bound (3) of the paper is below the true R_adv (X1)")
    else:
        warnings.append("bound (3) is undefined at w = theta (X1)")
    log_repaired, nu = log_repaired_bound(mixture, eps, p)
    return {**result, **probability("repaired_bound", log_repaired), "repaired_bound_nu": nu, "warnings": warnings}


def corollary2(dim: int = 101, sigma: float = 1.0, eps: float = 0.1) -> dict:
    """Corollary 2: G_adv of the Bayes classifier and of sign(x_1), and from which ε on the second is smaller."""
    _check(eps=eps, sigma=sigma, positive=("sigma",))
    critical = corollaries.critical_eps(dim)
    bayes, first = corollaries.log_total_risks(dim, eps, sigma)
    return {
        **_head("corollary2", dim=dim, sigma=sigma, eps=eps),
        "critical_eps": critical,
        "bayes": probability("adversarial_risk_total", bayes),
        "first_coordinate": probability("adversarial_risk_total", first),
        "claim_holds": first < bayes,
        "warnings": [] if first < bayes else [f"Corollary 2 is false here: eps is not above {critical:.6g} (X2)"],
    }


def corollary3(
    theta_squared: float = 2 + 2 * math.sqrt(2), free: int = 10_000, sigma: float = 1.0, eps: float | None = None
) -> dict:
    """Corollary 3: excess risk and exact R_adv of θ with ±1/√(p−s) off its support; eps is 2‖θ‖²/√(p−s) by default."""
    _check(theta_squared=theta_squared, sigma=sigma, positive=("theta_squared", "sigma"))
    if free < 1:
        raise UsageError("must be at least 1", parameter="free")
    eps = corollaries.corollary3_eps(theta_squared, free) if eps is None else eps
    _check(eps=eps)
    excess = probability("excess_risk", corollaries.log_excess_risk(theta_squared, sigma))
    risk = probability("adversarial_risk", corollaries.log_corollary3(theta_squared, free, sigma, eps))
    holds = excess["excess_risk"] <= 0.02 and risk["adversarial_risk"] >= 0.95
    return {
        **_head("corollary3", theta_squared=theta_squared, free=free, sigma=sigma, eps=eps),
        **excess,
        **risk,
        "claim_holds": holds,
        "warnings": [],
    }


def corollary4(
    theta: Sequence[float] = (2.0,), free: int = 10_000, sigma: float = 1.0, eps: float | None = None
) -> dict:
    """Corollary 4: R_adv where descent on the logistic loss ends (w = 2θ/σ²), for both starts, and at w = θ."""
    _check(sigma=sigma, positive=("sigma",))
    size = norm(theta, 2)
    if not 0 < size < math.inf:
        raise UsageError("must be finite numbers, not all zero", parameter="theta")
    if free < 1:
        raise UsageError("must be at least 1", parameter="free")
    eps = corollaries.corollary3_eps(size**2, free) if eps is None else eps
    _check(eps=eps)
    result = _head("corollary4", theta=list(map(float, theta)), free=free, sigma=sigma, eps=eps)
    for name, start, c in (
        ("printed_start", "printed", 2 / sigma**2),
        ("repaired_start", "repaired", 2 / sigma**2),
        ("repaired_start_at_theta", "repaired", 1.0),
    ):
        alpha = corollaries.alpha_l1(free, start)
        risk = probability("adversarial_risk", corollaries.log_corollary4(theta, sigma, c, alpha, eps))
        result[name] = {"alpha_l1": alpha, "c": c, **risk, "claim_holds": risk["adversarial_risk"] >= 0.95}
    return {**result, "warnings": []}


def two_squares(eps: float = 0.5, lam: float = 1.0) -> dict:
    """Two squares: the threshold that minimises R + λ(G − R), and its risks."""
    _check(eps=eps, lam=lam)
    found = squares.minimise(eps, lam)
    warnings = []
    if found["risk_highest"] > found["risk"] + 1e-12:
        warnings.append(f"several thresholds are optimal; their risk goes up to {found['risk_highest']:.6g}")
    if eps > squares.INNER:
        warnings.append(f"eps is past the margin {squares.INNER:g} of the Bayes classifier: Theorem 6 says nothing")
    return {**_head("squares", eps=eps, lam=lam), **found, "warnings": warnings}


def theorem7(w: Sequence[float] = (2.0, 0.5), bias: float = 0.1, eps: float = 0.001) -> dict:
    """Theorem 7 on two squares: exact R_adv of the logistic loss, its first order in ε, and the upper bound ε‖w‖₁."""
    _check(eps=eps)
    if len(w) != 2 or not all(map(math.isfinite, (*w, bias))):
        raise UsageError(
            "Theorem 7 is shown on the two squares, for two finite weights and a finite bias", parameter="w"
        )
    coefficient = squares.first_order(w, bias)
    warnings = []
    if eps > squares.INNER:
        warnings.append(f"eps is past the margin {squares.INNER:g} of the base classifier: the formula is not R_adv")
    return {
        **_head("theorem7", w=list(map(float, w)), bias=bias, eps=eps),
        "adversarial_loss": squares.logistic_adversarial_risk(w, bias, eps),
        "first_order": coefficient * eps,
        "coefficient": coefficient,
        "upper_bound": eps * (abs(w[0]) + abs(w[1])),
        "warnings": warnings,
    }


REPORTS: dict[str, Callable[..., dict]] = dict(
    zip(CASES, (report, corollary2, corollary3, corollary4, two_squares, theorem7), strict=True)
)


def _head(case: str, **inputs: object) -> dict:
    return {"schema": 1, "model": "mixture", "case": case, "inputs": inputs}


def _log_bayes(mixture: Mixture) -> float:
    return log_risk(Mixture(mixture.theta, mixture.theta, mixture.sigma))


def _check(positive: tuple[str, ...] = (), **values: float) -> None:
    for name, value in values.items():
        if not math.isfinite(value) or value < 0 or (name in positive and value == 0):
            kind = "positive number" if name in positive else "number"
            raise UsageError(f"must be a finite {kind}, not negative", parameter=name)
