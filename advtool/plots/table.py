"""Reports as rows: every field by its path, as in ``adversarial.accuracy``, and a row for each entry of a list."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from advtool.errors import UsageError
from advtool.values import listed

Row = dict[str, Any]


def paths(reports: Iterable[Mapping[str, Any]]) -> dict[str, None]:
    """The paths of all fields of reports, in the order in which they are met; entries of a list have one path."""
    found: dict[str, None] = {}

    def walk(value: Any, path: str) -> None:
        if isinstance(value, Mapping):
            for name, inner in value.items():
                walk(inner, f"{path}.{name}" if path else str(name))
        elif isinstance(value, list) and any(isinstance(entry, Mapping) for entry in value):
            for entry in value:
                walk(entry, path)
        elif path:
            found[path] = None

    for report in reports:
        walk(report, "")
    return found


def resolved(name: str, known: Iterable[str], parameter: str) -> str:
    """The path that a name means: itself, or the only path that ends in it.

    Raises
    ------
    UsageError
        if there is none, or several
    """
    known = list(known)
    if name in known:
        return name
    fitting = [path for path in known if path.endswith(f".{name}")]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise UsageError(f"may be {listed(fitting)}", parameter, name)
    raise UsageError(f"no report has this field; there are {listed(known[:40], 'and')}", parameter, name)


def rows(reports: Iterable[Mapping[str, Any]], wanted: Sequence[str]) -> Iterator[Row]:
    """Rows with the fields wanted, by path; one for each entry of the lists that hold them.

    A field that a report does not have is left out of its rows. Beside a field ``x`` come those that say how sure it
    is: ``x_ci95``, from ``ci95`` in the same object.
    """
    for report in reports:
        yield from _rows(report, "", wanted)


def _rows(value: Mapping[str, Any], path: str, wanted: Sequence[str]) -> list[Row]:
    found: list[Row] = [{}]
    for name, inner in value.items():
        here = f"{path}.{name}" if path else str(name)
        if not any(want == here or want.startswith(f"{here}.") for want in wanted):
            continue
        if isinstance(inner, Mapping):
            more = _rows(inner, here, wanted)
        elif isinstance(inner, list) and any(isinstance(entry, Mapping) for entry in inner):
            more = [row for entry in inner if isinstance(entry, Mapping) for row in _rows(entry, here, wanted)]
        else:
            more = [{here: inner, f"{here}_ci95": value.get("ci95")}]
        found = [{**row, **other} for row in found for other in more] if more else found
    return found
