"""Where commands that make shards write them, and how they are recorded."""

import shlex
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from advtool.cli import output
from advtool.data.sources import Source
from advtool.errors import UsageError
from advtool.io.atomic import StandardOutput
from advtool.io.head import Head
from advtool.io.samples import Sample
from advtool.io.shards import shard_paths, write_directory, write_file, write_stream

SHARD_SIZE = 10_000
_IRRELEVANT = ("-f", "--force", "-q", "--quiet", "-v", "--verbose")


@dataclass(frozen=True)
class ShardDestination:
    """One tar at `file`, a stream if that is stdout, or shards ``PREFIX-*.tar`` in `directory`."""

    file: output.Destination | None
    directory: Path | None
    prefix: str
    shard_size: int

    @property
    def name(self) -> str:
        return f"{self.directory}/{self.prefix}-*.tar" if self.directory else self.file.name

    def write(self, head: Head, samples: Iterable[Sample]) -> int:
        """Write everything; returns the number of samples."""
        if self.directory:
            return write_directory(self.directory, self.prefix, head, samples, self.shard_size)
        if self.file.path:
            return write_file(self.file.path, head, samples)
        return write_stream(StandardOutput(), head, samples)


def shard_destination(
    out: str | None, source: Source, force: bool, shard_size: int | None, suffix: str = ""
) -> ShardDestination:
    """Find where -o points: a directory if it ends in a slash, is one, or --shard-size is given; else one tar.

    Parameters
    ----------
    suffix : of the file name that is made up at a terminal

    Raises
    ------
    UsageError
        for what cannot work, before any work is done
    """
    prefix = source.split or "data"
    if not (out and out != "-" and (out.endswith("/") or Path(out).is_dir() or shard_size)):
        stem = Path(source.name.rstrip("/")).name.split(".")[0] or "data"
        stem = "-".join([stem, *([source.split] if source.split else []), *([suffix] if suffix else [])])
        return ShardDestination(output.destination(out, stem, ".tar", force), None, prefix, SHARD_SIZE)
    directory = Path(out)
    if directory.is_dir():
        output.check_directory(directory)
        if shard_paths(directory, prefix) and not force:
            raise UsageError(f"-o {out}: has {prefix} shards already; -f overwrites them")
    else:
        output.check_directory(directory.parent)
        if directory.exists():
            raise UsageError(f"-o {out}: is not a directory")
    return ShardDestination(None, directory, prefix, shard_size or SHARD_SIZE)


def recorded_command() -> str:
    """The command line for the history, without what does not affect the result: -o and its value, -f, -q, -v."""
    kept, skip = [], False
    for argument in sys.argv[1:]:
        if skip:
            skip = False
        elif argument in ("-o", "--out"):
            skip = True
        elif argument not in ("-f", "--force", "-q", "--quiet", "-v", "--verbose") and not argument.startswith(
            "--out="
        ):
            kept.append(argument)
    return shlex.join(["advtool", *kept])
