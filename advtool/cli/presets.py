"""``advtool presets``: the settings of papers that ``--preset`` takes."""

from dataclasses import dataclass
from typing import ClassVar

from advtool.cli.groups import Report, Talk
from advtool.options import Options, option


@dataclass(frozen=True, kw_only=True)
class Chosen(Options):
    """Which of them."""

    panel: ClassVar[str] = "Configuration"

    name: str | None = option(
        metavar="[NAME]", help="Print this one as TOML, as --config takes it.", unset="list all of them"
    )


@dataclass(frozen=True, kw_only=True)
class Presets(Chosen, Report, Talk):
    """List the settings of papers that --preset takes, or print one of them as a file for --config."""

    command = "presets"
