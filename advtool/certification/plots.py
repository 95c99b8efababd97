"""Certified accuracy as a picture."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advtool.io.figures import words, write_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_STROKES, _MARKERS = ("-", "--", "-.", ":"), "os^Dv"


def plot_certified(path: Path, reports: Sequence[Mapping[str, Any]]) -> None:
    """Draw certified accuracy with its 95% interval against radius, a curve for each report.

    Where the largest radius of each image is known the curve falls at each of them; else there are points at the radii
    that were asked about. With a bracket a thin curve is the accuracy under attack, and what is between them is shaded.

    Parameters
    ----------
    reports : of ``advtool certify --json``
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.add_subplot()
    for number, report in enumerate(reports):
        checkpoint, entries = report["checkpoint"], report["certified"]
        name = f"{Path(checkpoint['path'] or checkpoint['arch']).name}, noise {report['sigma']:g}"
        x = [entry["radius"] for entry in entries]
        y = [100 * entry["accuracy"] for entry in entries]
        below = [100 * (entry["accuracy"] - entry["ci95"][0]) for entry in entries]
        above = [100 * (entry["ci95"][1] - entry["accuracy"]) for entry in entries]
        style: dict[str, Any] = {"color": f"C{number}", "marker": _MARKERS[number % len(_MARKERS)], "markersize": 4}
        stroke = _STROKES[number % len(_STROKES)]
        whole = report["percentiles"]
        if whole:
            left = [100 - share for share in range(len(whole))]
            axes.step([0.0, *whole], [100, *left], where="pre", color=style["color"], linestyle=stroke)
        if whole and report["bracket"]:
            _between(axes, whole, report["bracket"]["percentiles"], style["color"], words(f"{name}, under attack"))
        ends = "" if whole else stroke
        axes.errorbar(x, y, yerr=[below, above], capsize=2, label=words(name), linestyle=ends, **style)
    data = reports[0]["data"]
    axes.set_title(words(f"{data['source']} {data['split'] or ''}, {data['n']:,} images"), fontsize=10)
    axes.set_xlabel("l2 radius")
    axes.set_ylabel("certified accuracy (%)")
    axes.set_ylim(0, 101)
    axes.set_xlim(left=0)
    axes.grid(alpha=0.3)
    axes.legend()
    write_figure(figure, path)


def _between(axes: "Axes", radii: Sequence[float], distances: Sequence[float | None], color: str, name: str) -> None:
    """What nobody knows: between the share certified and the share that no perturbation found breaks."""
    shares = [100 - share for share in range(len(radii))]
    farthest = max([*radii, *(distance for distance in distances if distance is not None)])
    found = [farthest if distance is None else distance for distance in distances]
    axes.step([0.0, *found], [100, *shares], where="pre", color=color, linewidth=0.8, label=name)
    axes.fill_betweenx(shares, radii, found, color=color, alpha=0.15, linewidth=0)
