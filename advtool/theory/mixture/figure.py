"""Risks against ε; for two squares that is Figure 2a of Suggala et al."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from advtool.theory.mixture import squares
from advtool.theory.mixture.report import REPORTS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LINES = {
    "mixture": {
        "risk": "R",
        "adversarial_risk_total": "G_adv",
        "adversarial_risk": "R_adv (exact)",
        "bound3": "bound (3), false",
        "repaired_bound": "repaired bound",
    },
    "corollary2": {
        "bayes.adversarial_risk_total": "G_adv, Bayes classifier",
        "first_coordinate.adversarial_risk_total": "G_adv, sign(x_1)",
    },
    "corollary3": {"adversarial_risk": "R_adv"},
    "corollary4": {
        "printed_start.adversarial_risk": "R_adv, start as printed",
        "repaired_start.adversarial_risk": "R_adv, start with variance 1/(p − s)",
        "repaired_start_at_theta.adversarial_risk": "the same, at w = θ",
    },
    "theorem7": {
        "adversarial_loss": "R_adv, logistic (exact)",
        "first_order": "first order",
        "upper_bound": "upper bound",
    },
}
_STYLES = ("-", "-", "-", ":", "--")


def figure(report: dict) -> "Figure":
    """The risks of a report, for ε from 0 to twice the one it is about."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    axes = figure.add_subplot()
    (_two_squares if report["case"] == "squares" else _curves)(axes, report)
    axes.set_xlabel("ε")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    return figure


def _curves(axes: "Axes", report: dict) -> None:
    case, inputs = report["case"], report["inputs"]
    radii = np.linspace(0, 2 * inputs["eps"] or 1.0, 61)
    reports = [REPORTS[case](**{**inputs, "eps": float(eps)}) for eps in radii]
    for (path, label), line in zip(_LINES[case].items(), _STYLES, strict=False):
        values = [_at(found, path) for found in reports]
        if any(value is not None for value in values):
            axes.plot(radii, [math.nan if value is None else value for value in values], line, label=label)
    axes.axvline(inputs["eps"], color="0.6", linewidth=0.8)
    if case == "corollary2":
        axes.axvline(report["critical_eps"], color="black", linestyle="--", linewidth=1, label="critical ε")
    axes.set_ylabel("loss" if case == "theorem7" else "probability")
    axes.set_ylim(bottom=0)
    axes.set_title(_title(case, inputs), fontsize=10)


def _title(case: str, inputs: dict) -> str:
    if case == "mixture" and len(inputs["theta"]) <= 4:
        theta, w = (", ".join(f"{x:g}" for x in inputs[name]) for name in ("theta", "w"))
        return f"θ = ({theta}), w = ({w}), σ = {inputs['sigma']:g}"
    names = {"corollary2": "Corollary 2", "corollary3": "Corollary 3", "corollary4": "Corollary 4"}
    names |= {"theorem7": "Theorem 7, two squares", "mixture": "mixture"}
    size = (
        f", p = {inputs['dim']:,}" if "dim" in inputs else f", p − s = {inputs['free']:,}" if "free" in inputs else ""
    )
    return names[case] + size


def _at(report: dict, path: str) -> float | None:
    found: Any = report
    for part in path.split("."):
        found = found[part]
    return found


def _two_squares(axes: "Axes", report: dict) -> None:
    lam = report["inputs"]["lam"]
    radii = np.linspace(0, max(1.5, report["inputs"]["eps"]), 301)
    found = [squares.minimise(float(eps), lam) for eps in radii]
    axes.plot(radii, [entry["adversarial_risk_total"] for entry in found], color="C1", label="G_adv of the minimiser")
    low, high = (np.array([entry[key] for entry in found]) for key in ("risk", "risk_highest"))
    axes.plot(radii, low, color="C0", label="classification risk R")
    if np.any(high > low + 1e-12):
        axes.fill_between(radii, low, high, where=high > low + 1e-12, alpha=0.2, color="C0", label="R of equal minima")
    axes.axvline(squares.INNER, color="0.5", linestyle=":", linewidth=1.2, label="margin of g, 0.2")
    axes.axvline(2 * squares.INNER, color="black", linestyle="--", linewidth=1, label="separation, 0.4")
    axes.set_ylabel("risk")
    axes.set_ylim(bottom=0)
    axes.set_title(f"two squares: the minimiser of R + λ(G − R), λ = {lam:g}", fontsize=10)
