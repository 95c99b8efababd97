"""The trade-off curve: the best adversarial accuracy at each standard accuracy."""

from typing import TYPE_CHECKING

import numpy as np

from advtool.theory.tradeoff.linear import Features, no_free_lunch, tradeoff_curve

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def figure(report: dict) -> "Figure":
    """Linear rules, the bound of Theorem 2.1, f_avg, the strong feature and the SVMs."""
    from matplotlib.figure import Figure

    inputs = report["inputs"]
    model, eps = Features(inputs["dim"], inputs["eta"], inputs["p"]), inputs["eps"]
    figure = Figure(figsize=(6.4, 4.6), layout="constrained")
    axes = figure.add_subplot()
    left = 100 * min(model.p, report["average"]["standard_accuracy"]) - 5
    if report["theorem_2_1_applies"]:
        standard = np.linspace(max(left / 100, 0), 1, 300)
        bound = np.array([no_free_lunch(model, eps, s) for s in standard])
        axes.fill_between(100 * standard, 100 * bound, 100, color="0.92")
        axes.plot(100 * standard, 100 * bound, color="0.5", label="no classifier above (Theorem 2.1)")
    curve = tradeoff_curve(model, eps)
    axes.plot(
        100 * curve["standard_accuracy"], 100 * curve["adversarial_accuracy"], color="C0", label="linear, equal weights"
    )
    if inputs["all_linear"]:
        curve = tradeoff_curve(model, eps, all_linear=True)
        x, y = 100 * curve["standard_accuracy"], 100 * curve["adversarial_accuracy"]
        axes.plot(x, y, color="C0", linestyle="--", label="linear, fewer weak features")
    markers = (
        ("average", "o", "f_avg"),
        ("strong_feature", "s", "strong feature alone"),
        ("svm_standard", "^", "SVM, standard"),
        ("svm_adversarial", "v", f"SVM, trained at ε = {inputs['train_eps']:g}"),
    )
    for index, (name, marker, label) in enumerate(markers, start=1):
        entry = report[name]
        if entry["standard_accuracy"] is not None:
            x, y = 100 * entry["standard_accuracy"], 100 * entry["adversarial_accuracy"]
            size = 10 if name == "strong_feature" else 7
            axes.plot(x, y, marker, markersize=size, color=f"C{index}", label=label, fillstyle="none", clip_on=False)
    axes.set_xlim(max(left, 0), 100)
    axes.set_ylim(0, 100)
    axes.set_xlabel("standard accuracy (%)")
    axes.set_ylabel(f"adversarial accuracy at ε = {eps:g} (%)")
    axes.set_title(f"d = {model.d:,}, η = {model.eta:g}, p = {model.p:g}", fontsize=10)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc="lower left")
    return figure
