"""The figure of a sweep."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from advtool.commands.theory import render
from advtool.commands.theory.render import Report

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def sweep_figure(reports: Sequence[Report], swept: str, paths: Sequence[str]) -> "Figure":
    """The probabilities at some paths of the reports, against what was swept."""
    from matplotlib.figure import Figure

    x = [report["inputs"][swept] for report in reports]
    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    axes = figure.add_subplot()
    for path in paths:
        values = [render.at(report, path) for report in reports]
        if any(isinstance(value, float) and 0 <= value <= 1 for value in values):
            axes.plot(x, [math.nan if value is None else value for value in values], ".-", label=path)
    axes.set_xlabel(swept)
    axes.set_ylabel("probability")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    return figure
