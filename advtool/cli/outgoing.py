"""The options that say where results go, which several commands share."""

from dataclasses import dataclass
from typing import ClassVar

from advtool.errors import UsageError
from advtool.launchers import Processes, of_array, processes
from advtool.options import Options, option


def overwriting() -> bool:
    """The option ``-f``."""
    declared: bool = option("-f", "--force", default=False, help="Overwrite an existing output.", recorded=False)
    return declared


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
    force: bool = overwriting()


@dataclass(frozen=True, kw_only=True)
class Worker(Options):
    """Which part of the work is done here, where a scheduler starts workers that do not know of one another."""

    panel: ClassVar[str] = "Output"

    shard_index: int | None = option(
        "--shard-index",
        metavar="I",
        minimum=0,
        needs="shard_count",
        help="Which of the workers this one is, from 0.",
        unset="$SLURM_ARRAY_TASK_ID, from the first task of the array on",
        recorded=False,
    )
    shard_count: int | None = option(
        "--shard-count",
        metavar="N",
        minimum=1,
        help="Do every N-th part of the work, as one of N workers of any scheduler.",
        unset="do all of it",
        recorded=False,
    )

    def worker(self) -> Processes | None:
        """The worker that is asked for, as one of several processes; None if there are none.

        Raises
        ------
        UsageError
            if nobody says which, or there are fewer
        """
        if self.shard_count is None:
            return None
        if processes().world > 1:
            message = "is for workers that do not know of one another; these processes share their work"
            raise UsageError(message, "shard_count")
        index = of_array() if self.shard_index is None else self.shard_index
        if index is None:
            raise UsageError("needs to be told, outside of an array of Slurm: from 0", "shard_index")
        if index >= self.shard_count:
            message = f"workers of {self.shard_count} are numbered from 0 to {self.shard_count - 1}"
            raise UsageError(message, "shard_index", index)
        return Processes(index, self.shard_count)


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
    force: bool = overwriting()
    resume: bool = option(
        "--resume",
        default=False,
        help="Go on from the last epoch in OUT.state, which an unfinished run with -o leaves; with more --epochs from"
        " the end of a finished run too.",
        recorded=False,
    )
    save_every: int | None = option(
        "--save-every",
        metavar="N",
        minimum=1,
        needs="out",
        help="Batches after which OUT.state is written, from which --resume goes on in the middle of an epoch.",
        unset="after each epoch, and on SIGTERM",
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
