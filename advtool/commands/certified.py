"""The report of a certification as a table."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from advtool.cli import console


def show(report: dict[str, Any]) -> None:
    """A report as a table, and what it guarantees."""
    checkpoint, data = report["checkpoint"], report["data"]
    under = f" under noise {report['sigma']:g}" if "sigma" in report else ""
    title = f"{checkpoint['path']} ({checkpoint['arch']}){under} on {_data(data)}"
    rows = [[name, *_cells(entry)] for name, entry in _lines(report)]
    columns = ["certified", "accuracy", "95% interval", "correct"]
    if "sigma" not in report:
        console.show_table(title, columns, rows)
        console.line(report["guarantee"])
        return
    if report["bracket"] is not None:
        columns.append("under attack")
        above = {_named(report, entry): f"{100 * entry['attacked']['accuracy']:.2f}%" for entry in report["certified"]}
        rows = [[*row, above.get(row[0], "")] for row in rows]
    console.show_table(title, columns, rows)
    if (found := report["bracket"]) is not None and found["found"]:
        console.line(
            f"gap between radius and smallest perturbation found: mean {found['mean_gap']:.4g},"
            f" median {found['median_gap']:.4g}, smallest {found['smallest_gap']:.4g}, of {found['found']:,} images"
        )
    parts = [f"abstained: {report['abstained']:,}", f"wrong: {report['wrong']:,}"]
    if report["mean_radius"] is not None:
        parts.append(f"mean radius: {report['mean_radius']:.4g}")
    if undecided := max((entry["undecided"] for entry in report["certified"]), default=0):
        parts.append(f"undecided: {undecided:,}")
    parts += [f"{report['samples_drawn']:,} draws", f"{report['seconds']:.1f} s"]
    console.line(", ".join(parts))
    console.line(report["guarantee"])


def compare(reports: Sequence[dict[str, Any]]) -> None:
    """Reports on several models, or under several sizes of noise, as one table: a column for each."""
    found = [(report, entry) for report in reports for entry in report["certified"]]
    entries = sorted((entry["radius"], _named(report, entry)) for report, entry in found)
    known = {name for report in reports for name, _ in _lines(report)}
    rows = {
        name: [""] * len(reports) for name in ("clean", "smoothed", *(name for _, name in entries)) if name in known
    }
    for column, report in enumerate(reports):
        for name, entry in _lines(report):
            rows[name][column] = f"{100 * entry['accuracy']:.2f}%"
    columns = [_column(report) for report in reports]
    if "abstained" in reports[0]:
        rows["abstained"] = [f"{report['abstained']:,}" for report in reports]
    table = [[name, *cells] for name, cells in rows.items()]
    console.show_table(f"certified accuracy on {_data(reports[0]['data'])}", ["certified", *columns], table)
    console.line(reports[0]["guarantee"])


def _column(report: dict[str, Any]) -> str:
    name = Path(report["checkpoint"]["path"]).stem
    return f"{name} {report['sigma']:g}" if "sigma" in report else name


def _lines(report: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """(name, entry with an accuracy), one for each line of a report."""
    smoothed = [("smoothed", report["smoothed"])] if report.get("smoothed") else []
    return [("clean", report["clean"]), *smoothed, *((_named(report, each), each) for each in report["certified"])]


def _named(report: dict[str, Any], entry: dict[str, Any]) -> str:
    return f"{report['adv']} {entry['radius']:.4g}"


def _cells(entry: dict[str, Any]) -> list[str]:
    low, high = entry["ci95"]
    return [
        f"{100 * entry['accuracy']:.2f}%",
        f"{100 * low:.1f}–{100 * high:.1f}%",
        f"{entry['correct']:,}/{entry['n']:,}",
    ]


def _data(data: dict[str, Any]) -> str:
    return f"{data['source']}{' ' + data['split'] if data['split'] else ''}, {data['n']:,} images"
