"""Curves of accuracy as pictures."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advtool.io.figures import words, write_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_Series = tuple[str, list[float], Sequence[Mapping[str, Any]]]
"""A name, what is on the x axis, and the entries there."""


def plot_accuracy(path: Path, reports: Sequence[Mapping[str, Any]]) -> None:
    """Draw robust accuracy with its 95% interval, against steps if those vary, else against eps.

    Parameters
    ----------
    reports : of one or more models, as ``advtool eval --json`` gives them
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.add_subplot()
    by_steps = any(len({entry["steps"] for entry in report["adversarial"]}) > 1 for report in reports)
    for report in reports:
        clean = report["clean"]
        for name, x, entries in _series(report, by_steps, several=len(reports) > 1):
            y = [100 * entry["accuracy"] for entry in entries]
            below = [100 * (entry["accuracy"] - entry["ci95"][0]) for entry in entries]
            above = [100 * (entry["ci95"][1] - entry["accuracy"]) for entry in entries]
            every = "distances" in report
            if not by_steps and 0 not in x:
                x, y = [0, *x], [100 * clean["accuracy"], *y]
                below = [100 * (clean["accuracy"] - clean["ci95"][0]), *below]
                above = [100 * (clean["ci95"][1] - clean["accuracy"]), *above]
            axes.errorbar(
                x, y, yerr=[below, above], fmt="o" if every else "o-", markersize=4, capsize=2, label=words(name)
            )
            if every:
                _distances(axes, report, axes.lines[-1].get_color())
    if by_steps:
        axes.set_xscale("log")
        axes.set_xlabel("PGD steps")
    else:
        first = reports[0]
        axes.set_xlabel(f"{(first.get('distances') or first['adversarial'][0])['adv']} eps")
    data = reports[0]["data"]
    axes.set_title(words(f"{data['source']} {data['split'] or ''}, {data['n']:,} images"), fontsize=10)
    axes.set_ylabel("robust accuracy (%)")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend()
    write_figure(figure, path)


def _distances(axes: "Axes", report: Mapping[str, Any], color: Any) -> None:
    """The share of the images whose nearest adversarial example is farther away, against distance."""
    known = [(distance, 100 - share) for share, distance in enumerate(report["distances"]["percentiles"]) if distance]
    known = [(0, 100 * report["clean"]["accuracy"]), *known]
    axes.step([distance for distance, _ in known], [left for _, left in known], where="post", color=color)


def plot_history(path: Path, title: str, history: Sequence[Mapping[str, Any]]) -> None:
    """Draw accuracy against epochs, as in Ilyas et al. 2019, Figure 10: on named sets, and on the training images.

    Parameters
    ----------
    history : a record per epoch, as a checkpoint holds it
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.add_subplot()
    for name, style in (("clean", "-"), ("adversarial", "--")):
        points = [(record["epoch"], record[f"{name}_accuracy"]) for record in history if f"{name}_accuracy" in record]
        if points:
            _curve(axes, points, color="0.6", linestyle=style, marker=".", label=f"training, {name}")
    names = dict.fromkeys(name for record in history for name in record.get("accuracy", {}))
    for name in names:
        points = [(r["epoch"], r["accuracy"][name]) for r in history if name in r.get("accuracy", {})]
        _curve(axes, points, marker="o", markersize=3, label=words(name))
    axes.set_title(words(f"training on {title}"), fontsize=10)
    axes.set_xlabel("epoch")
    axes.set_ylabel("accuracy (%)")
    axes.set_ylim(0, 101)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    if history:
        axes.legend()
    write_figure(figure, path)


def _curve(axes: "Axes", points: Sequence[tuple[int, float]], **style: Any) -> None:
    axes.plot([epoch for epoch, _ in points], [100 * accuracy for _, accuracy in points], **style)


def _series(report: Mapping[str, Any], by_steps: bool, several: bool) -> Iterator[_Series]:
    """Of each curve its name, x, and the entries that it goes through."""
    entries = report["adversarial"]
    checkpoint = report["checkpoint"]
    model = f"{Path(checkpoint['path'] or checkpoint['arch']).name} " if several else ""
    if not by_steps:
        entries = sorted(entries, key=lambda entry: entry["eps"])
        attack = entries[0]["attack"] if entries else "smallest perturbation found"
        yield f"{model}{attack}", [entry["eps"] for entry in entries], entries
        return
    for eps in dict.fromkeys(entry["eps"] for entry in entries):
        chosen = [entry for entry in entries if entry["eps"] == eps]
        yield f"{model}{chosen[0]['adv']} eps {eps:.4g}", [entry["steps"] for entry in chosen], chosen
