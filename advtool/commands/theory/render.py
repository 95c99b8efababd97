"""Reports of theory as tables and as JSON."""

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from advtool.cli import console

if TYPE_CHECKING:
    from advtool.theory.errata import Erratum

Report = dict[str, Any]


def plain(value: Any) -> Any:
    """A report for JSON: infinities become the strings "inf" and "-inf", which JSON has no numbers for."""
    if isinstance(value, dict):
        return {key: plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    if isinstance(value, float) and math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return value


def number(value: Any) -> str:
    """A number to seven digits."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    if isinstance(value, (list, tuple)):
        shown = ", ".join(number(entry) for entry in value[:6])
        return f"{shown}, … ({len(value):,})" if len(value) > 6 else shown
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return f"{value:,}" if isinstance(value, int) else f"{value:.7g}"


def percent(value: float | None, log_value: float | None = None) -> str:
    """A fraction as per cent; what is too small for that as a power of ten."""
    if value is None:
        return "–"
    if value >= 1e-6 or (value == 0 and (log_value is None or log_value == -math.inf)):
        return f"{100 * value:.4f}%"
    exponent = (math.log(value) if log_value is None else log_value) / math.log(10)
    whole = math.floor(exponent)
    return f"{10 ** (exponent - whole):.4f}e{whole}"


def change(before: float, after: float) -> str:
    """The difference of two fractions as they are shown, in points of per cent, so that a column adds up."""
    return f"{round(100 * after, 4) - round(100 * before, 4):+.4f}".replace("-", "−")


def at(report: Report, path: str) -> Any:
    """The entry of a report at a dotted path such as ``standard.w`` or ``weighted.0.w``."""
    found: Any = report
    for part in path.split("."):
        found = found[int(part)] if isinstance(found, list) else found.get(part)
        if found is None:
            return None
    return found


def probability(report: Report, path: str) -> str:
    """The probability at a path, as per cent."""
    head, _, name = path.rpartition(".")
    return percent(at(report, path), at(report, f"{head}.log_{name}" if head else f"log_{name}"))


_PROBABILITIES = ("_error", "_accuracy", "risk", "risk_total", "_bound", "bound3", "bound")


def cell(report: Report, path: str) -> str:
    """What stands at a path: a probability as per cent, anything else as a number."""
    return probability(report, path) if path.endswith(_PROBABILITIES) else number(at(report, path))


def sweep(reports: Sequence[Report], swept: Sequence[str], paths: Sequence[str]) -> None:
    """A table of one row per setting: the swept options, then chosen entries of the report."""
    columns = [*swept, *(path.replace(".", " ").replace("_", " ") for path in paths)]
    checked = "check" in reports[0]
    rows = []
    for report in reports:
        row = [number(report["inputs"][name]) for name in swept] + [cell(report, path) for path in paths]
        rows.append(row + ([number(report["check"]["agrees"])] if checked else []))
    console.show_table(f"theory: {reports[0]['model']}", columns + ["check"] * checked, rows)


def facts(title: str, rows: Iterable[tuple[str, str]]) -> None:
    """A table of names and values."""
    console.show_table(title, ["quantity", "value"], [list(row) for row in rows])


def check(report: Report) -> None:
    """What sampling said."""
    if "check" not in report:
        return
    found, rows = report["check"], []
    for claim in found["claims"]:
        interval = "–" if claim["interval"] is None else " … ".join(number(value) for value in claim["interval"])
        verdict = {True: "agrees", False: "DISAGREES", None: "unchecked: too rare"}[claim["agrees"]]
        relation = {"==": "", "<=": "≤ ", ">=": "≥ "}[claim["relation"]]
        rows.append([claim["name"], relation + number(claim["value"]), claim["method"], interval, verdict])
    title = f"check: {found['samples']:,} samples each; an honest run fails once in {1 / found['false_alarm']:,.0f}"
    console.show_table(title, ["number", "value", "method", "interval", ""], rows)


def errata(paper: str, rows: Iterable["Erratum"]) -> None:
    """The errata of a paper."""
    from rich.table import Table

    table = Table("", "place", "printed", "right", "why", show_lines=True)
    for row in rows:
        table.add_row(row.id, row.place, row.printed, row.right, row.why)
    console.print_table(paper, table)
