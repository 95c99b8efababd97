"""Figures of matplotlib as files: which formats there are, and how to write one so that it has the same bytes again."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal

from advtool.errors import UsageError
from advtool.io.atomic import whole_file
from advtool.values import listed
from advtool.visible import bounded, visible

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = ("png", "pdf", "svg")
_DPI = 150
_LONGEST = 80
_UNDATED: dict[str, dict[str, None]] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}


def suffix(path: str | Path) -> str:
    """What the name of a file ends in, in lower case and without the dot."""
    return Path(path).suffix.lstrip(".").lower()


def figure_format(path: str | Path, parameter: str = "plot", more: Sequence[str] = ()) -> str:
    """The format that the name of a figure's file asks for: one of `FORMATS` or of `more`.

    Parameters
    ----------
    parameter : the one that holds the path, for the error

    Raises
    ------
    UsageError
        if the name ends in none of them
    """
    kind, known = suffix(path), (*FORMATS, *more)
    if kind not in known:
        raise UsageError(f"must end in {listed([f'.{name}' for name in known])}", parameter, path)
    return kind


def words(text: str) -> str:
    """Text that may come from outside, for matplotlib to draw letter by letter: no formula, no name that it hides."""
    shown = bounded(visible(text), _LONGEST).replace("$", r"\$")
    return f" {shown}" if shown.startswith("_") else shown


def save(figure: "Figure", file: BinaryIO, kind: str, dpi: float | Literal["figure"] = "figure") -> None:
    """Write a figure in one of `FORMATS`, without the date; the same figure gives the same bytes."""
    from matplotlib import rc_context

    with rc_context({"svg.hashsalt": "advtool"}):
        figure.savefig(file, format=kind, dpi=dpi, metadata=_UNDATED.get(kind, {}))


def write_figure(figure: "Figure", path: str | Path) -> None:
    """Write a figure as its file's name says; UsageError if that ends in none of `FORMATS`."""
    kind = figure_format(path)
    with whole_file(path) as file:
        save(figure, file, kind, _DPI)
