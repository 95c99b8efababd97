"""``advtool data``: list, inspect, verify, and convert to shards."""

from dataclasses import dataclass, replace
from typing import ClassVar

from advtool.cli.groups import DryRun, Input, Report, Talk
from advtool.cli.outgoing import ShardOutput
from advtool.cli.resizing import RESIZING, Resized
from advtool.errors import UsageError
from advtool.options import Options, Table, option

_ALL = frozenset({"source", "data", "split", "limit", "download", "image_key", "label_key"})
_MODES = {
    "--list": frozenset({"json"}),
    "--info": _ALL | {"json"},
    "--verify": _ALL | {"json"},
    "conversion": _ALL | {*RESIZING, "colour", "out", "shard_size", "force", "dry_run"},
}


@dataclass(frozen=True, kw_only=True)
class Mode(Options):
    """What is done with the images."""

    panel: ClassVar[str] = "What to do"

    source: str | None = option(metavar="[SOURCE]", help="The same as --data.", unset="that of --data")
    list: bool = option("--list", default=False, help="List the named datasets and stop.")
    info: bool = option("--info", default=False, help="Count and describe, convert nothing.")
    verify: bool = option("--verify", default=False, help="Decode all, report the first fault, convert nothing.")
    colour: bool = option(
        "--colour", default=False, help="Write grey images in colour too, as a set of both kinds needs."
    )


def mode(options: Mode) -> tuple[str]:
    """The one mode that is asked for.

    Raises
    ------
    UsageError
        if there are several
    """
    asked = [f"--{name}" for name in ("list", "info", "verify") if getattr(options, name)]
    if len(asked) > 1:
        raise UsageError("--list, --info and --verify exclude one another")
    return (asked[0] if asked else "conversion",)


@dataclass(frozen=True, kw_only=True)
class Data(Mode, Input, Resized, ShardOutput, Report, Talk, DryRun):
    """Write any source of images as WebDataset shards, or say what is in it.

    Sources: a named dataset, shards, class folders, or a stream: advtool data cifar10 --split train -o shards/
    """

    command = "data"
    tables = (Table("mode", _MODES, mode),)

    size: int | None = option(
        "--size",
        metavar="PIXELS",
        minimum=1,
        help="Scale the shorter side to PIXELS/crop-pct and crop the centre square of PIXELS.",
        unset="images pass byte for byte",
    )

    def named(self) -> "Data":
        """The same with the source as ``--data``, however it was given."""
        if self.source is not None and self.data is not None:
            raise UsageError("SOURCE and --data name the same thing; give one of them")
        return self if self.source is None else replace(self, data=self.source)
