"""What ``advtool plot`` does once its options are read."""

import io
import warnings
from dataclasses import dataclass

from advtool.cli import console, output
from advtool.cli.plot import Plot
from advtool.errors import AdvtoolError, UsageError
from advtool.io.figures import figure_format, save
from advtool.plots import records, series, table
from advtool.plots.chart import Kind, Look, chart
from advtool.plots.series import Panel


class SkippedWarning(UserWarning):
    """Rows without a number are not drawn."""


def run(options: Plot) -> None:
    """Draw a figure."""
    kind = figure_format(options.out, "out") if options.out not in (None, "-") else "png"
    target = output.destination(options.out, "figure", ".png", options.force)
    reports = list(records.read(options.reports or ("-",)))
    published = list(records.read((options.published,))) if options.published else []
    known = table.paths(reports)
    fields = _fields(options, known)
    panels = fields.panels(reports)
    if not any(panel.series for panel in panels):
        raise AdvtoolError(f"nothing to draw: no report has both {fields.x} and {fields.y} as a number")
    theirs = fields.elsewhere(published).panels(published) if published else []
    _warn(panels, fields.y)
    look = Look(
        kind=_kind(options.kind),
        x_label=options.x_label or fields.x,
        y_label=options.y_label or fields.y,
        title=options.title or "",
        legend=", ".join(name.rpartition(".")[2] for name in fields.by if not name.endswith(".path")),
        log_x=options.log_x,
        log_y=options.log_y,
        percent=options.percent,
    )
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of glyphs that a font lacks
        save(chart(panels, look, theirs), file, kind, options.dpi)
    target.write(file.getvalue())
    drawn = sum(len(series.points) for panel in panels for series in panel.series)
    console.say(f"drew {drawn:,} points to {target.name}")
    if (most := max(panel.averaged for panel in panels)) > 1:
        console.say(f"points are means of up to {most} values, bars their standard deviation")


@dataclass(frozen=True)
class _Fields:
    """Paths of what is drawn."""

    x: str
    y: str
    by: tuple[str, ...]
    panel: str | None

    def panels(self, reports: list[dict]) -> list[Panel]:
        wanted = [self.x, self.y, *self.by, *([self.panel] if self.panel else [])]
        return series.panels(table.rows(reports, wanted), self.x, self.y, self.by, self.panel)

    def elsewhere(self, reports: list[dict]) -> "_Fields":
        """The same fields in other reports: of the same path, or of the same name at its end."""
        known = table.paths(reports)

        def own(name: str) -> str:
            return name if name in known else table.resolved(name.rpartition(".")[2], known, "published")

        return _Fields(own(self.x), own(self.y), tuple(map(own, self.by)), own(self.panel) if self.panel else None)


def _fields(options: Plot, known: dict[str, None]) -> _Fields:
    found = {}
    for name in ("x", "y"):
        if (asked := getattr(options, name)) is None:
            raise UsageError("names the field to draw; there are " + ", ".join(list(known)[:40]), name)
        found[name] = table.resolved(asked, known, name)
    by = tuple(table.resolved(name, known, "by") for name in options.by)
    panel = table.resolved(options.panels, known, "panels") if options.panels else None
    return _Fields(**found, by=by, panel=panel)


def _kind(asked: str | None) -> Kind | None:
    kinds: dict[str, Kind] = {"line": "line", "points": "points", "bars": "bars"}
    return kinds[asked] if asked else None


def _warn(panels: list[Panel], y: str) -> None:
    if skipped := sum(panel.skipped for panel in panels):
        warnings.warn(f"{skipped:,} rows have no number for {y}, or no place for it", SkippedWarning, stacklevel=2)
