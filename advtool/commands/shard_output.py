"""Where commands that make shards write them: one tar, or a directory of shards."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from advtool import distributed
from advtool.cli import console, output
from advtool.cli.outgoing import ShardOutput
from advtool.data.sources import Source
from advtool.errors import UsageError
from advtool.io.atomic import StandardOutput
from advtool.io.directory import ShardDirectory
from advtool.io.head import Head
from advtool.io.samples import Sample
from advtool.io.shards import shard_paths, write_file, write_stream
from advtool.launchers import Processes

SHARD_SIZE = 10_000


class ShardDestination(Protocol):
    """Where shards go, checked before any work is done."""

    @property
    def name(self) -> str:
        """What to call it in messages and reports."""

    def todo(self, head: Head, samples: Iterable[Sample]) -> Iterable[Sample]:
        """Of the samples that go one to one into the output, those that are left to make here."""

    def write(self, head: Head, samples: Iterable[Sample]) -> int:
        """Write everything; returns the number of samples."""


@dataclass(frozen=True)
class OneTar:
    """A file, or a stream if that is stdout."""

    place: output.Destination

    @property
    def name(self) -> str:
        return self.place.name

    def todo(self, head: Head, samples: Iterable[Sample]) -> Iterable[Sample]:
        """All of them."""
        return samples

    def write(self, head: Head, samples: Iterable[Sample]) -> int:
        if self.place.path:
            return write_file(self.place.path, head, samples)
        return write_stream(StandardOutput(), head, samples)


@dataclass(frozen=True)
class ManyShards:
    """Shards in a directory, made by one process or several; `anew` forgets what an interrupted run finished."""

    directory: ShardDirectory
    anew: bool = False

    @property
    def name(self) -> str:
        return f"{self.directory.path}/{self.directory.name}-*.tar"

    def todo(self, head: Head, samples: Iterable[Sample]) -> Iterable[Sample]:
        """All but those of the shards that an interrupted run finished, and of those that other processes make."""
        self.directory.barrier()  # every process has looked at what is there before one of them adds to it
        if self.anew and self.directory.path.is_dir():
            with self.directory.locked():
                self.directory.discard()
        self.directory.check(head)
        if parts := self.directory.parts():
            console.say(f"{len(parts):,} shards in {self.directory.path} are finished already")
        return self.directory.todo(samples)

    def write(self, head: Head, samples: Iterable[Sample]) -> int:
        try:
            count = self.directory.write(head, samples)
            if left := self.directory.left():
                console.say(f"{left:,} shards of {self.name} are other workers' to make; the last names them all")
            return count
        except BaseException:
            if self.directory.resumable and (parts := self.directory.parts()):
                console.say(f"{len(parts):,} finished shards are kept; --resume goes on from them")
            raise


def shard_destination(
    options: ShardOutput,
    source: Source,
    suffix: str = "",
    *,
    resumable: bool = False,
    resume: bool = False,
    parameter: str = "out",
    worker: Processes | None = None,
) -> ShardDestination:
    """Find where -o points: a directory if it ends in a slash, is one, or --shard-size is given; else one tar.

    Parameters
    ----------
    suffix : of the file name that is made up at a terminal
    resumable : whether finished shards in a directory are kept when the command fails
    resume : whether to go on from them
    parameter : the one that `options.out` is the value of
    worker : which of several that do not know of one another and make the shards of a directory; each goes on from what
        is there

    Raises
    ------
    UsageError
        for what cannot work, before any work is done
    """
    out, several = options.out, distributed.processes().world > 1
    if several and not resumable:
        raise UsageError("several processes are for train, attack, distill and eval")
    if not (out and out != "-" and (out.endswith("/") or os.path.isdir(out) or options.shard_size)):
        if resume:
            raise UsageError("needs -o DIR/, in which the finished shards lie", "resume")
        if worker:
            raise UsageError("needs -o DIR/, in which the workers put their shards", "shard_count")
        if options.shard_size:
            raise UsageError("needs -o DIR/, in which the shards are to lie", "shard_size")
        if several:
            raise UsageError("several processes write shards into a directory: -o DIR/")
        stem = Path(source.name.rstrip("/")).name.split(".")[0] or "data"
        stem = "-".join([stem, *([source.split] if source.split else []), *([suffix] if suffix else [])])
        return OneTar(output.destination(out, stem, ".tar", options.force, parameter=parameter))
    if several and not source.repeatable:
        raise UsageError("several processes read their images from files, not from stdin: --data SOURCE")
    here = distributed.processes()
    place = (here.rank, here.world, distributed.barrier)
    size = options.shard_size or SHARD_SIZE
    if worker:
        directory = ShardDirectory(
            Path(out), source.split or "data", size, True, worker.rank, worker.world, independent=True
        )
        _check_place(directory.path, parameter)
        return ManyShards(directory, anew=options.force)
    directory = ShardDirectory(Path(out), source.split or "data", size, resumable, *place)
    _check(directory, options.force, resume, parameter)
    return ManyShards(directory, anew=options.force)


def _check(directory: ShardDirectory, force: bool, resume: bool, parameter: str) -> None:
    """Refuse a directory that cannot be written to, or that holds shards that nobody said what to do with."""
    path = directory.path
    if not _check_place(path, parameter):
        return
    parts, whole = directory.parts(), shard_paths(path, directory.name)
    if parts and directory.resumable and not force and not resume:
        unfinished = f"has {len(parts)} shards of an unfinished run; --resume goes on from them, -f starts anew"
        raise UsageError(unfinished, parameter, path)
    if whole and not force and not (resume and parts):
        raise UsageError(f"has {directory.name} shards already; -f overwrites them", parameter, path)


def _check_place(path: Path, parameter: str) -> bool:
    """Refuse a directory that cannot be written to: whether it is there."""
    output.check_name(path, parameter)
    if path.is_dir():
        output.check_directory(path, parameter)
        return True
    output.check_directory(path.parent, parameter)
    if path.exists():
        raise UsageError("is not a directory", parameter, path)
    return False
