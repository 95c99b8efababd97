"""``advtool plot``: figures out of reports."""

from dataclasses import dataclass
from typing import ClassVar

from advtool.cli.groups import Talk
from advtool.cli.outgoing import overwriting
from advtool.options import Options, option
from advtool.values import words


@dataclass(frozen=True, kw_only=True)
class Fields(Options):
    """What is drawn against what."""

    panel: ClassVar[str] = "Fields"

    reports: tuple[str, ...] = option(
        metavar="FILE",
        help="Reports as lines of JSON, of any command, or checkpoints, for what they record of their training;"
        " - is stdin.",
        unset="stdin",
        default=(),
    )
    x: str | None = option(
        "--x", metavar="FIELD", help="Along the x axis: adversarial.eps, or eps where that is clear."
    )
    y: str | None = option("--y", metavar="FIELD", help="Along the y axis, with the ci95 beside it as error bars.")
    by: tuple[str, ...] = option(
        "--by",
        metavar="FIELD[,FIELD…]",
        parse=words,
        default=(),
        help="One line for each value of these, such as checkpoint.path.",
        unset="one line",
    )
    panels: str | None = option("--panels", metavar="FIELD", help="Axes of their own for each value.", unset="one")
    published: str | None = option(
        "--published",
        metavar="FILE",
        help="Values of others with the same fields, as lines of JSON; drawn hollow.",
        unset="none",
    )


@dataclass(frozen=True, kw_only=True)
class Looks(Options):
    """How it looks."""

    panel: ClassVar[str] = "Looks"

    kind: str | None = option(
        "--kind", choices=("line", "points", "bars"), help="What is drawn.", unset="lines along numbers, else bars"
    )
    log_x: bool = option("--log-x", default=False, help="A logarithmic x axis.")
    log_y: bool = option("--log-y", default=False, help="A logarithmic y axis.")
    percent: bool = option("--percent", default=False, help="Show y times 100.")
    x_label: str | None = option("--x-label", metavar="TEXT", help="Of the x axis.", unset="the field")
    y_label: str | None = option("--y-label", metavar="TEXT", help="Of the y axis.", unset="the field")
    title: str | None = option("--title", metavar="TEXT", help="Above it.", unset="none")
    dpi: int = option("--dpi", metavar="N", minimum=20, maximum=1200, default=150, help="Dots per inch of a PNG.")


@dataclass(frozen=True, kw_only=True)
class Picture(Options):
    """Where it goes."""

    panel: ClassVar[str] = "Output"

    out: str | None = option(
        "-o",
        "--out",
        metavar="FILE|-",
        help="Picture, .png, .pdf or .svg, PNG to a pipe.",
        unset="stdout if it is a pipe or file, else a fresh file",
        recorded=False,
    )
    force: bool = overwriting()


@dataclass(frozen=True, kw_only=True)
class Plot(Fields, Looks, Picture, Talk):
    """Draw any field of any reports of advtool against any other.

    As in: advtool eval … --json | advtool plot --x eps --y adversarial.accuracy -o figure.png

    A list in a report gives a row for each entry. Several values at one place become their mean with their standard
    deviation. Lines differ in markers and strokes, not in colour alone.
    """

    command = "plot"
