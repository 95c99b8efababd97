"""The matrix of sources and targets as a picture that can be read in grey."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from advtool.io.figures import words, write_figure

_DARK = 55
"""Percentage from which on the numbers in a cell are white."""


def plot_matrix(path: str | Path, report: Mapping[str, Any]) -> None:
    """Draw how many of the images that could fool each target do, in percent: the darker, the more.

    Parameters
    ----------
    report : as ``advtool transfer --json`` gives it
    """
    from matplotlib.figure import Figure

    sources, targets = ([short(each["path"]) for each in report[kind]] for kind in ("sources", "targets"))
    rates = [cell["fooled"]["rate"] for cell in report["cells"]]
    values = [float("nan") if rate is None else 100 * rate for rate in rates]
    rows = [values[start : start + len(targets)] for start in range(0, len(values), len(targets))]
    figure = Figure(figsize=(2.5 + 0.8 * len(targets), 1.8 + 0.5 * len(sources)), layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(rows, cmap="Greys", vmin=0, vmax=100, aspect="auto")
    for row, cells in enumerate(rows):
        for column, value in enumerate(cells):
            text = "-" if value != value else f"{value:.1f}"
            axes.text(column, row, text, ha="center", va="center", color="white" if value > _DARK else "black")
    axes.set_xticks(range(len(targets)), [words(name) for name in targets], rotation=30, ha="right")
    axes.set_yticks(range(len(sources)), [words(name) for name in sources])
    axes.set_xlabel("shown to")
    axes.set_ylabel("made on")
    attack = report["attack"]
    eps = "" if attack["eps"] is None else f" {attack['eps']:.4g}"
    axes.set_title(words(f"% fooled by {attack['attack']}, {attack['adv']}{eps}"), fontsize=10)
    write_figure(figure, path)


def short(path: str) -> str:
    """The name of a checkpoint without its folder and suffix."""
    return Path(path).name.removesuffix(".safetensors")
