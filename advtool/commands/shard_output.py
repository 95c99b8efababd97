"""Where commands that make shards write them, and how they are recorded."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from advtool import distributed
from advtool.cli import console, output
from advtool.cli.groups import ShardOutput
from advtool.data.sources import Source
from advtool.errors import UsageError
from advtool.io.atomic import StandardOutput
from advtool.io.directory import ShardDirectory
from advtool.io.head import Head
from advtool.io.samples import Sample
from advtool.io.shards import shard_paths, write_file, write_stream

SHARD_SIZE = 10_000


@dataclass(frozen=True)
class ShardDestination:
    """One tar at `file`, a stream if that is stdout, or shards in `directory`."""

    file: output.Destination | None
    directory: ShardDirectory | None

    @property
    def name(self) -> str:
        return f"{self.directory.path}/{self.directory.name}-*.tar" if self.directory else self.file.name

    def todo(self, head: Head, samples: Iterable[Sample]) -> Iterable[Sample]:
        """Of the samples that go one to one into the output, those that are left to make here.

        All but those of the shards that an interrupted run finished, and of those that other processes make.
        """
        if not self.directory:
            return samples
        self.directory.check(head)
        if parts := self.directory.parts():
            console.say(f"{len(parts):,} shards in {self.directory.path} are finished already")
        return self.directory.todo(samples)

    def write(self, head: Head, samples: Iterable[Sample]) -> int:
        """Write everything; returns the number of samples."""
        if self.directory:
            try:
                return self.directory.write(head, samples)
            except BaseException:
                if self.directory.resumable and (parts := self.directory.parts()):
                    console.say(f"{len(parts):,} finished shards are kept; --resume goes on from them")
                raise
        if self.file.path:
            return write_file(self.file.path, head, samples)
        return write_stream(StandardOutput(), head, samples)


def shard_destination(
    options: ShardOutput, source: Source, suffix: str = "", *, resumable: bool = False, resume: bool = False
) -> ShardDestination:
    """Find where -o points: a directory if it ends in a slash, is one, or --shard-size is given; else one tar.

    Parameters
    ----------
    suffix : of the file name that is made up at a terminal
    resumable : whether finished shards in a directory are kept when the command fails
    resume : whether to go on from them

    Raises
    ------
    UsageError
        for what cannot work, before any work is done
    """
    out, several = options.out, distributed.processes().world > 1
    if several and not resumable:
        raise UsageError("several processes are for train, attack, distill and eval")
    if not (out and out != "-" and (out.endswith("/") or Path(out).is_dir() or options.shard_size)):
        if resume:
            raise UsageError("needs -o DIR/, in which the finished shards lie", "resume")
        if options.shard_size:
            raise UsageError("needs -o DIR/, in which the shards are to lie", "shard_size")
        if several:
            raise UsageError("several processes write shards into a directory: -o DIR/")
        stem = Path(source.name.rstrip("/")).name.split(".")[0] or "data"
        stem = "-".join([stem, *([source.split] if source.split else []), *([suffix] if suffix else [])])
        return ShardDestination(output.destination(out, stem, ".tar", options.force), None)
    if several and not source.repeatable:
        raise UsageError("several processes read their images from files, not from stdin: --data SOURCE")
    return ShardDestination(None, _directory(Path(out), source, options.force, options.shard_size, resumable, resume))


def _directory(
    path: Path, source: Source, force: bool, shard_size: int | None, resumable: bool, resume: bool
) -> ShardDirectory:
    here = distributed.processes()
    place = (here.rank, here.world, distributed.barrier)
    directory = ShardDirectory(path, source.split or "data", shard_size or SHARD_SIZE, resumable, *place)
    if not path.is_dir():
        output.check_directory(path.parent)
        if path.exists():
            raise UsageError(f"-o {path}: is not a directory")
        return directory
    output.check_directory(path)
    parts, whole = directory.parts(), shard_paths(path, directory.name)
    if parts and force:
        directory.discard()
    elif parts and not resume:
        raise UsageError(
            f"-o {path}: has {len(parts)} shards of an unfinished run; --resume goes on from them, -f starts anew"
        )
    if whole and not force and not (resume and parts):
        raise UsageError(f"-o {path}: has {directory.name} shards already; -f overwrites them")
    return directory
