"""Figure 2 of Collins et al.: learned weights against τ, with the threshold that theory gives."""

from typing import TYPE_CHECKING

import numpy as np

from advtool.theory.bernoulli.report import trained_weights

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def figure(report: dict) -> "Figure":
    """Train by the recipe and draw the weights, each classifier's of unit length; or Table 1 for a table."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    axes = figure.add_subplot()
    if "table" in report:
        _table(axes, report)
        return figure
    tau, at = np.array(report["inputs"]["tau"]), report["threshold"]
    order = np.argsort(tau, kind="stable")
    for (name, weights), colour in zip(trained_weights(report).items(), ("C0", "C3"), strict=True):
        axes.plot(tau[order], weights[order], ".", markersize=5, color=colour, label=f"{name} training")
    learned = np.array(report["robust_weights"] or np.zeros_like(tau))
    if learned.any():
        axes.plot(
            tau[order], (learned / np.linalg.norm(learned))[order], color="C3", linewidth=1, label="infinite data"
        )
    axes.axvline(at, color="black", linestyle="--", linewidth=1.2, label=f"τ* = {at:.3f} (theory)")
    axes.set_xlabel("τ of the feature")
    axes.set_ylabel("weight of the feature (unit ℓ2 norm)")
    axes.set_title(f"d = {len(tau)}, ε = {report['inputs']['eps']:g}, {report['inputs']['n']:,} samples", fontsize=10)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    return figure


def _table(axes: "Axes", report: dict) -> None:
    rows = report["table"]
    series = {
        "standard_standard": ("standard training, clean", "C0", "-"),
        "standard_robust": ("standard training, attacked", "C0", "--"),
        "robust_standard": ("robust training, clean", "C3", "-"),
        "robust_robust": ("robust training, attacked", "C3", "--"),
    }
    for key, (label, colour, line) in series.items():
        points = [(row["eps"], row.get(key) or row["standard_standard"]) for row in rows]
        eps, means = [e for e, _ in points], [100 * entry["mean"] for _, entry in points]
        spread = [100 * (entry["sd"] or 0) for _, entry in points]
        axes.errorbar(eps, means, yerr=spread, color=colour, linestyle=line, marker="o", markersize=4, label=label)
    axes.set_xlabel("ε")
    axes.set_ylabel("accuracy (%)")
    axes.set_title(f"Table 1, τ up to {report['inputs']['tau_max']:g}, {report['inputs']['seeds']} seeds", fontsize=10)
    axes.set_ylim(0, 102)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
