"""``advtool export``: a folder that can be published."""

from dataclasses import dataclass
from typing import ClassVar

from advtool.cli.groups import Checkpoint, Talk
from advtool.options import Options, option


@dataclass(frozen=True, kw_only=True)
class Folder(Options):
    """What goes into it."""

    panel: ClassVar[str] = "Output"

    out: str | None = option(
        "-o", "--out", metavar="DIR", help="The folder.", unset="none; it has to be given", recorded=False
    )
    report: tuple[str, ...] = option(
        "--report",
        metavar="FILE",
        default=(),
        help="Put the figures of this report of eval --json on the card; repeat it for more.",
        unset="none",
    )
    license: str | None = option(
        "--license",
        metavar="NAME",
        help="Licence of the weights, as the Hugging Face Hub calls it: mit, apache-2.0.",
        unset="none is named",
    )
    force: bool = option("-f", "--force", default=False, help="Replace the files of an earlier export.", recorded=False)


@dataclass(frozen=True, kw_only=True)
class Export(Checkpoint, Folder, Talk):
    """Write a checkpoint as a folder that the Hugging Face Hub takes: weights, configuration, and a card.

    Any command loads it back by the folder's name: advtool eval --ckpt DIR
    """

    command = "export"
