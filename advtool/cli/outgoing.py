"""The options that say where results go, which several commands share."""

from dataclasses import dataclass
from typing import ClassVar

from advtool.options import Options, option


@dataclass(frozen=True, kw_only=True)
class ShardOutput(Options):
    """Where shards go."""

    panel: ClassVar[str] = "Output"

    out: str | None = option(
        "-o",
        "--out",
        metavar="FILE|DIR/|-",
        help="One tar (gzipped if it ends in .gz), or a directory for SPLIT-000000.tar and on.",
        unset="stdout if it is a pipe or file, else a fresh file",
        recorded=False,
    )
    shard_size: int | None = option(
        "--shard-size",
        metavar="N",
        minimum=1,
        help="Samples per shard of a directory.",
        unset="10000",
        needs="out",
        decides=False,
    )
    force: bool = option("-f", "--force", default=False, help="Overwrite an existing output.", recorded=False)


@dataclass(frozen=True, kw_only=True)
class CheckpointOutput(Options):
    """Where a checkpoint goes."""

    panel: ClassVar[str] = "Output"

    out: str | None = option(
        "-o",
        "--out",
        metavar="FILE|-",
        help="Output.",
        unset="stdout if it is a pipe or file, else a fresh file in this directory",
        recorded=False,
    )
    force: bool = option("-f", "--force", default=False, help="Overwrite an existing output.", recorded=False)
    resume: bool = option(
        "--resume",
        default=False,
        help="Go on from the last epoch in OUT.state, which an unfinished run with -o leaves; with more --epochs from"
        " the end of a finished run too.",
        recorded=False,
    )
    keep_state: bool = option(
        "--keep-state",
        default=False,
        needs="out",
        help="Leave OUT.state, which holds the moments of the optimizer, beside a finished run too.",
        recorded=False,
    )


@dataclass(frozen=True, kw_only=True)
class Resume(Options):
    panel: ClassVar[str] = "Output"

    resume: bool = option(
        "--resume",
        default=False,
        help="Go on from the finished shards that an interrupted run with -o DIR/ left.",
        recorded=False,
    )
