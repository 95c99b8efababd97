"""The report of ``advtool theory tradeoff``."""

import math

import numpy as np

from advtool.errors import UsageError
from advtool.theory.tails import probability
from advtool.theory.tradeoff.linear import (
    Features,
    log_accuracy,
    log_accuracy_average,
    no_free_lunch,
    tradeoff_curve,
)
from advtool.theory.tradeoff.svm import Svm, loss, regularised, unit_norm


def report(
    dim: int = 10_000,
    eta: float | None = None,
    p: float = 0.7,
    eps: float | None = None,
    train_eps: float | None = None,
    lam: float | None = None,
    t: float | None = None,
    all_linear: bool = False,
) -> dict:
    """f_avg, Theorem 2.1, the soft-margin SVM of Theorem 2.2, and the trade-off curve.

    Parameters
    ----------
    dim, eta, p : d weak features of mean η (default 4/√d), and the chance p of the strong one
    eps : radius of the attack at test; default 2η
    train_eps : radius in adversarial training; default `eps`
    lam : penalty λ/2 ‖w‖² of the SVM; default None: the weights have unit norm, as in Theorem 2.2
    t : a linear rule sign(t x_1 + z) whose accuracies are wanted too
    all_linear : let the curve also use fewer weak features
    """
    model = Features(dim, 4 / math.sqrt(max(dim, 1)) if eta is None else eta, p)
    eps = 2 * model.eta if eps is None else eps
    train_eps = eps if train_eps is None else train_eps
    for name, value in (("eps", eps), ("train_eps", train_eps)):
        if not 0 <= value < math.inf:
            raise UsageError("must be a finite number, not negative", parameter=name)
    if lam is not None and not 0 <= lam < math.inf:
        raise UsageError("must be a finite number, not negative", parameter="lam")
    if t is not None and not t >= 0:
        raise UsageError("must not be negative", parameter="t")
    warnings: list[str] = []
    curve = tradeoff_curve(model, eps, all_linear)
    best = int(curve["adversarial_accuracy"].argmax())
    result = {
        "schema": 1,
        "model": "tradeoff",
        "inputs": {
            "dim": dim,
            "eta": model.eta,
            "p": p,
            "eps": eps,
            "train_eps": train_eps,
            "lam": lam,
            **({} if t is None else {"t": t}),
            "all_linear": all_linear,
        },
        "average": _rule(model, 0.0, eps),
        "strong_feature": _rule(model, math.inf, eps),
        **({} if t is None else {"rule": _rule(model, t, eps)}),
        "svm_standard": _svm(model, 0.0, eps, lam, warnings),
        "svm_adversarial": _svm(model, train_eps, eps, lam, warnings),
        "theorem_2_1_applies": eps >= 2 * model.eta,
        "theorem_2_2_holds": _theorem22(model, train_eps, warnings),
        "best_linear": {name: float(values[best]) for name, values in curve.items()},
        "curve": {name: values.tolist() for name, values in _thinned(curve).items()},
        "warnings": warnings,
    }
    if eps < 2 * model.eta:
        warnings.append("Theorem 2.1 does not apply: eps is below 2 eta")
    return result


def _rule(model: Features, t: float | None, eps: float) -> dict:
    """Accuracies of a rule, and the adversarial accuracy that Theorem 2.1 allows at its standard one."""
    if t is None:
        return {"t": None, "standard_accuracy": None, "adversarial_accuracy": None, "bound": None}
    if t == 0:
        logs = [log_accuracy_average(model), log_accuracy_average(model, eps)]
    else:
        logs = [float(log_accuracy(model, t)), float(log_accuracy(model, t, eps))]
    standard = probability("standard_accuracy", logs[0])
    bound = no_free_lunch(model, eps, -math.expm1(_log_complement(logs[0])))
    return {"t": t, **standard, **probability("adversarial_accuracy", logs[1]), "bound": bound}


def _log_complement(log_p: float) -> float:
    return math.log(-math.expm1(log_p)) if log_p < 0 else -math.inf


def _svm(model: Features, train_eps: float, eps: float, lam: float | None, warnings: list[str]) -> dict:
    svm: Svm = unit_norm(model, train_eps) if lam is None else regularised(model, train_eps, lam)
    free = float(loss(model, 0.0, 0.0, train_eps))
    result = {"train_eps": train_eps, "w1": svm.w1, "v": svm.v, "loss": svm.loss, "loss_at_zero": free}
    if svm.t is None:
        warnings.append(f"the SVM trained at eps {train_eps:g} is w = 0, which decides nothing (T1)")
    elif lam is None and svm.loss > free:
        warnings.append(
            f"the SVM trained at eps {train_eps:g} has loss {svm.loss:.4g} at unit norm and {free:.4g} at w = 0:"
            " no penalty gives unit norm, and Theorem 2.2 fails (T1)"
        )
    return {**result, **_rule(model, svm.t, eps)}


def _theorem22(model: Features, train_eps: float, warnings: list[str]) -> bool:
    """Whether adversarial training finds the strong feature alone: for η ≤ ε < 2p − 1 (erratum T1)."""
    holds = model.eta <= train_eps < 2 * model.p - 1
    if not holds:
        warnings.append(
            f"Theorem 2.2, adversarial part, fails: training eps {train_eps:g} is not from eta {model.eta:g} to below"
            f" 2p - 1 = {2 * model.p - 1:g} (T1)"
        )
    return holds


def _thinned(curve: dict[str, np.ndarray], most: int = 200) -> dict[str, np.ndarray]:
    size = len(curve["t"])
    keep = np.unique(np.linspace(0, size - 1, min(size, most)).round().astype(int))
    return {name: values[keep] for name, values in curve.items()}
