"""Figures 1 and 2 of the paper: errors against the hyperplane's place, and the optimal place against λ."""

from typing import TYPE_CHECKING

import numpy as np

from advtool.theory.gaussian.decision import NoMinimiser, TwoGaussians, log_error, threshold
from advtool.theory.gaussian.weighted import minimise

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def figure(report: dict) -> "Figure":
    """Both figures side by side, for one report."""
    from matplotlib.figure import Figure

    inputs, shift = report["inputs"], report["eps_p"]
    model = TwoGaussians(inputs["distance"], inputs["sigma1"], inputs["sigma2"])
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    standard, robust = threshold(model), _robust(model, shift)
    _errors(left, model, shift, standard, robust, report)
    _places(right, model, shift, standard, robust)
    figure.suptitle(f"σ1 = {model.sigma1:g}, σ2 = {model.sigma2:g}, distance {model.distance:g}, ε_p = {shift:g}")
    return figure


def _robust(model: TwoGaussians, shift: float) -> float | None:
    try:
        return threshold(model, shift)
    except NoMinimiser:
        return None


def _errors(
    axes: "Axes", model: TwoGaussians, shift: float, standard: float, robust: float | None, report: dict
) -> None:
    ends = sorted([standard, standard if robust is None else robust])
    w = np.linspace(ends[0] - model.distance / 4, ends[1] + model.distance / 4, 600)
    axes.plot(w, 100 * np.exp(log_error(model, w)), label="standard error β")
    axes.plot(w, 100 * np.exp(log_error(model, w, shift)), label="adversarial error β̃")
    names = {"standard": "standard", "adversarial": "adversarial", "randomized": "data-randomised"}
    for (name, label), colour in zip(names.items(), ("C0", "C1", "C2"), strict=True):
        entry = report[name]
        if entry["w"] is not None and w[0] <= entry["w"] <= w[-1]:
            axes.axvline(entry["w"], color=colour, linestyle=":", linewidth=1.2, label=f"w, {label} training")
    axes.set_xlabel("place w of the hyperplane")
    axes.set_ylabel("error (%)")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)


def _places(axes: "Axes", model: TwoGaussians, shift: float, standard: float, robust: float | None) -> None:
    lam = np.concatenate([[0.0], np.geomspace(1e-3, 3, 150)])
    found = [minimise(model, shift, float(value)).w for value in lam]
    places = np.array([np.nan if w is None else w for w in found])
    jumps = np.flatnonzero(np.abs(np.diff(places)) > 0.08 * (np.nanmax(places) - np.nanmin(places)) + 1e-9)
    drawn_lam, drawn = np.insert(lam, jumps[jumps > 3] + 1, np.nan), np.insert(places, jumps[jumps > 3] + 1, np.nan)
    axes.plot(drawn_lam, drawn, color="C3", label="W_λ")
    axes.axhline(standard, color="C0", linestyle=":", linewidth=1.2, label="w*")
    if robust is not None:
        axes.axhline(robust, color="C1", linestyle=":", linewidth=1.2, label="w̃*")
    axes.set_xlabel("λ in β + λβ̃")
    axes.set_ylabel("place of the optimal hyperplane")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
