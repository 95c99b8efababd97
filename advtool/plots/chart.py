"""Series drawn so that they can be told apart without colours: a marker, a line and a hatching for each."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from advtool.io.figures import words
from advtool.plots.series import Panel, Point, Series

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Kind = Literal["line", "points", "bars"]

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#7F7F7F")
"""Of Okabe and Ito 2008, which the colour-blind tell apart, without its yellow; and a grey."""
MARKERS, LINES, HATCHES = "os^Dv<>P", ("-", "--", "-.", ":"), ("", "//", "..", "xx", "\\\\", "oo", "++", "**")
_COLUMNS = 3


@dataclass(frozen=True)
class Look:
    """How it is drawn.

    Attributes
    ----------
    kind : None for lines along numbers, bars beside names
    percent : y as percentages
    """

    kind: Kind | None = None
    x_label: str = ""
    y_label: str = ""
    title: str = ""
    legend: str = ""
    log_x: bool = False
    log_y: bool = False
    percent: bool = False


def chart(panels: Sequence[Panel], look: Look, published: Sequence[Panel] = ()) -> "Figure":
    """A figure with a pair of axes for each panel; what was published is drawn hollow, in the colours of ours."""
    from matplotlib.figure import Figure

    columns = min(len(panels), _COLUMNS)
    lines = math.ceil(len(panels) / columns)
    figure = Figure(figsize=(6 if columns == 1 else 4 * columns, 4 * lines), layout="constrained")
    grid = figure.subplots(lines, columns, squeeze=False, sharey=True)
    theirs = {panel.title: panel for panel in published}
    labels = list(dict.fromkeys(series.label for panel in (*panels, *published) for series in panel.series))
    names = _names([*panels, *published])
    for axes, panel in zip(grid.flat, panels, strict=False):
        _draw(axes, panel, theirs.get(panel.title), labels, names, look)
    for axes in grid.flat[len(panels) :]:
        axes.set_axis_off()
    if look.title:
        figure.suptitle(words(look.title), fontsize=11)
    return figure


def _names(panels: Sequence[Panel]) -> list[str] | None:
    """What stands along the x axis, if any of it is no number."""
    places = [point.x for panel in panels for series in panel.series for point in series.points]
    if all(isinstance(place, float) for place in places):
        return None
    return list(dict.fromkeys(f"{place:g}" if isinstance(place, float) else place for place in places))


def _draw(
    axes: "Axes", panel: Panel, published: Panel | None, labels: list[str], names: list[str] | None, look: Look
) -> None:
    kind = look.kind or ("bars" if names else "line")
    drawn = [(series, False) for series in panel.series]
    drawn += [(series, True) for series in (published.series if published else ())]
    for order, (series, theirs) in enumerate(drawn):
        style = labels.index(series.label)
        offset = (order - (len(drawn) - 1) / 2) * 0.8 / len(drawn) if kind == "bars" else 0.0
        x = [_at(point, names) + offset for point in series.points]
        scale = 100 if look.percent else 1
        y = [scale * point.y for point in series.points]
        below, above = ([scale * getattr(p, side) for p in series.points] for side in ("below", "above"))
        error = None if all(map(math.isnan, below)) else [_known(below), _known(above)]
        _one(axes, kind, _Data(x, y, error, theirs, words(_label(series, theirs))), style, 0.8 / len(drawn))
    if names:
        axes.set_xticks(range(len(names)), [words(name) for name in names], rotation=30 if len(names) > 4 else 0)
    if look.log_x:
        axes.set_xscale("log")
    if look.log_y:
        axes.set_yscale("log")
    axes.set_xlabel(words(look.x_label))
    axes.set_ylabel(words(look.y_label + (" (%)" if look.percent else "")))
    axes.set_title(words(panel.title), fontsize=10)
    axes.grid(alpha=0.3)
    axes.set_axisbelow(True)
    if any(_label(*each) for each in drawn):
        axes.legend(fontsize=8, title=words(look.legend), title_fontsize=8)


@dataclass(frozen=True)
class _Data:
    """Of one series, as matplotlib takes it; `error` are sizes below and above, `theirs` whether it was published."""

    x: list[float]
    y: list[float]
    error: list[list[float]] | None
    theirs: bool
    label: str


def _one(axes: "Axes", kind: str, data: _Data, style: int, wide: float) -> None:
    colour, marker, line = (cycle[style % len(cycle)] for cycle in (COLOURS, MARKERS, LINES))
    if kind == "bars":
        hatch, edge = HATCHES[style % len(HATCHES)], colour if data.theirs else "black"
        face = "none" if data.theirs else colour
        bars: dict[str, Any] = {"color": face, "edgecolor": edge, "hatch": hatch, "linewidth": 1, "capsize": 2}
        axes.bar(data.x, data.y, wide, yerr=data.error, label=data.label, **bars)
        return
    look: dict[str, Any] = {"color": colour, "marker": marker, "markersize": 8 if data.theirs else 5, "capsize": 2}
    look |= {"linestyle": "none" if kind == "points" or data.theirs else line}
    look |= {"markerfacecolor": "none" if data.theirs else colour}
    axes.errorbar(data.x, data.y, yerr=data.error, label=data.label, **look)


def _at(point: Point, names: list[str] | None) -> float:
    if names is None:
        return float(point.x)
    return names.index(f"{point.x:g}" if isinstance(point.x, float) else point.x)


def _known(sizes: list[float]) -> list[float]:
    return [0.0 if math.isnan(size) else max(size, 0.0) for size in sizes]


def _label(series: Series, theirs: bool) -> str:
    return ", ".join(filter(None, (series.label, "published" if theirs else "")))
