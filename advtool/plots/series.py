"""Rows as series: what is drawn in one colour, averaged where there are several values at one place."""

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from advtool.plots.table import Row

CHECKPOINT = ".safetensors"


@dataclass(frozen=True)
class Point:
    """A value, how far below and above it may lie (NaN where that is not known), and how many it is the mean of."""

    x: float | str
    y: float
    below: float = math.nan
    above: float = math.nan
    n: int = 1


@dataclass(frozen=True)
class Series:
    """What has one label."""

    label: str
    points: tuple[Point, ...]


@dataclass
class Panel:
    """Series in one pair of axes.

    Attributes
    ----------
    skipped : rows without a number for y, or without x
    """

    title: str
    series: list[Series] = field(default_factory=list)
    skipped: int = 0

    @property
    def averaged(self) -> int:
        """How many values are averaged at most."""
        return max((point.n for series in self.series for point in series.points), default=1)


def panels(rows: Iterable[Row], x: str, y: str, by: Sequence[str] = (), panel: str | None = None) -> list[Panel]:
    """Rows put into panels and series, each in the order in which they are first met.

    Several rows of a series with the same x become their mean, with their standard deviation; a single one keeps the
    interval that its report gives.
    """
    found: dict[str, dict[str, dict[float | str, list[Row]]]] = {}
    skipped: dict[str, int] = {}
    for row in rows:
        title = shown(row.get(panel)) if panel else ""
        place, value = _place(row.get(x)), number(row.get(y))
        series = found.setdefault(title, {})
        if place is None or value is None:
            skipped[title] = skipped.get(title, 0) + 1
            continue
        label = ", ".join(shown(row.get(name)) for name in by)
        series.setdefault(label, {}).setdefault(place, []).append(row)
    return [
        Panel(
            title,
            [
                Series(label, tuple(_point(at, rows, y) for at, rows in _sorted(places)))
                for label, places in own.items()
            ],
            skipped.get(title, 0),
        )
        for title, own in found.items()
    ]


def _sorted(places: dict[float | str, list[Row]]) -> list[tuple[float | str, list[Row]]]:
    """By x, if all of it are numbers; else as they come."""
    if all(isinstance(place, float) for place in places):
        return sorted(places.items(), key=lambda item: float(item[0]))
    return list(places.items())


def _point(x: float | str, rows: Sequence[Row], y: str) -> Point:
    values = [float(row[y]) for row in rows]
    if len(values) > 1:
        spread = statistics.stdev(values)
        return Point(x, statistics.mean(values), spread, spread, len(values))
    (value,), interval = values, rows[0].get(f"{y}_ci95")
    if isinstance(interval, list) and len(interval) == 2 and all(number(end) is not None for end in interval):
        return Point(x, value, value - interval[0], interval[1] - value)
    return Point(x, value)


def _place(value: Any) -> float | str | None:
    """Where on the x axis: a number or a name."""
    found = number(value)
    if found is not None:
        return found if math.isfinite(found) else None
    return None if value is None else shown(value)


def number(value: Any) -> float | None:
    """A finite number, of what may be one; not of a truth value."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def shown(value: Any) -> str:
    """A value as a label; a checkpoint's without directory and suffix."""
    if value is None:
        return "none"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, str) and value.endswith(CHECKPOINT):
        return value.rpartition("/")[2].removesuffix(CHECKPOINT)
    return " ".join(map(shown, value)) if isinstance(value, list) else str(value)
