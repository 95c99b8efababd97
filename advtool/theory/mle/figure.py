"""The picture of Ilyas et al., Figure 4: contours of both covariances and their decision lines."""

from typing import TYPE_CHECKING

import numpy as np

from advtool.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def figure(report: dict) -> "Figure":
    """Contours of S and Σ_r around ±μ, and the lines x·Σ⁻¹μ = 0, in two dimensions."""
    from matplotlib.figure import Figure

    s, robust = np.array(report["inputs"]["variances"]), np.array(report["robust_covariance"])
    if len(s) != 2:
        raise UsageError("the picture is of two variances, such as 1,100", parameter="plot")
    mu = np.array(report["inputs"]["mu"] or report["worst_mean"])
    mu = mu * max(1.0, 2.2 / np.sqrt((mu**2 / s).sum()))  # apart, so that the contours can be told from each other
    figure = Figure(figsize=(11, 5.2), layout="constrained")
    reach = 1.06 * (np.abs(mu) + 2 * np.sqrt(np.maximum(s, robust))).max()
    cases = (
        ("standard", s, "alignment_standard"),
        (f"robust, ε = {report['inputs']['eps']:g}", robust, "alignment_robust"),
    )
    for axes, (name, variances, key) in zip(figure.subplots(1, 2, sharex=True, sharey=True), cases, strict=True):
        _draw(axes, mu, variances, reach)
        axes.set_title(
            f"{name}: variances {variances[0]:.4g}, {variances[1]:.4g}; alignment {report[key]:.4f}", fontsize=10
        )
    return figure


def _draw(axes: "Axes", mu: np.ndarray, variances: np.ndarray, reach: float) -> None:
    turn = np.linspace(0, 2 * np.pi, 200)
    for sign, colour in ((1, "C0"), (-1, "C3")):
        for radius in (1, 2):
            x, y = (sign * mu)[:, None] + radius * np.sqrt(variances)[:, None] * np.stack([np.cos(turn), np.sin(turn)])
            axes.plot(x, y, color=colour, linewidth=1, alpha=1 / radius)
        axes.plot(*(sign * mu), "o", color=colour, markersize=4)
    gradient = mu / variances
    gradient /= np.linalg.norm(gradient)
    across = np.array([-gradient[1], gradient[0]]) * 3 * reach
    axes.plot(*np.stack([-across, across], axis=1), color="black", linewidth=1.4, label="decision line x·Σ⁻¹μ = 0")
    for vector, colour, label in (
        (gradient, "C2", "gradient Σ⁻¹μ"),
        (mu / np.linalg.norm(mu), "0.5", "direction of μ"),
    ):
        axes.annotate("", vector * reach * 0.6, (0, 0), arrowprops={"arrowstyle": "->", "color": colour, "lw": 1.8})
        axes.plot([], [], color=colour, linewidth=1.8, label=label)
    axes.set_xlim(-reach, reach)
    axes.set_ylim(-reach, reach)
    axes.set_aspect("equal")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc="lower left")
