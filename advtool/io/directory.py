"""A directory of shards ``NAME-%06d.tar`` that appear together, made by one process or several, in one go or more."""

import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from advtool.errors import AdvtoolError, UsageError
from advtool.io.atomic import sync_directory, writing
from advtool.io.head import Head
from advtool.io.readers import SampleReader
from advtool.io.samples import Sample
from advtool.io.shards import shard_paths, write_stream
from advtool.io.streams import open_path


@dataclass(frozen=True)
class ShardDirectory:
    """Where shards are written: each to a hidden part first, and all parts are renamed at the end.

    Attributes
    ----------
    path, name : the directory, and what the names of the shards begin with
    shard_size : samples per shard
    resumable : whether parts stay when the run fails, for a later run to go on from
    rank, world : this process's number and the number of processes; each makes every world-th shard
    barrier : waits for the other processes
    """

    path: Path
    name: str
    shard_size: int
    resumable: bool = False
    rank: int = 0
    world: int = 1
    barrier: Callable[[], None] = lambda: None

    def todo(self, samples: Iterable[Sample]) -> Iterator[Sample]:
        """Of the samples that all shards together hold, in order, those of the shards that are left to make here."""
        for index, sample in enumerate(samples):
            if self._is_mine(index // self.shard_size):
                yield sample

    def write(self, head: Head, samples: Iterable[Sample]) -> int:
        """Write the shards that are left to make, then, once every process has done so, show them all.

        Shards of the same name that were there before are replaced.

        Returns
        -------
        number of samples written here
        """
        made_directory, complete = False, False
        try:
            with writing(self.path):
                if not self.path.is_dir():
                    self.path.mkdir(parents=True, exist_ok=True)
                    made_directory = True
                count = self._write_parts(head, iter(samples))
                self.barrier()
                if self.rank == 0:
                    self._show()
                self.barrier()
            complete = True
        finally:
            if not complete and not self.resumable:
                self.discard()
            if not complete and made_directory:
                with suppress(OSError):
                    self.path.rmdir()
        return count

    def check(self, head: Head) -> None:
        """Refuse to go on from parts that another command made, or with another number of samples per shard.

        Raises
        ------
        UsageError
        """
        for part in self.parts():
            if not part.name.endswith(self._suffix):
                raise self._refusal("another size")
            with SampleReader([open_path(part)], str(part)) as reader:
                made = reader.head
            if (made.records, made.shape, made.num_classes) != (head.records, head.shape, head.num_classes):
                raise self._refusal("another command")

    def _refusal(self, maker: str) -> UsageError:
        message = f"{self.path} has unfinished shards of {maker}; -f starts anew"
        return UsageError(message, parameter="resume")

    def parts(self) -> list[Path]:
        """Finished shards of a run that has not come to its end."""
        return sorted(self.path.glob(f".{self.name}-[0-9]*.part"))

    def discard(self) -> None:
        """Remove all parts."""
        for part in self.parts():
            part.unlink(missing_ok=True)

    @property
    def _suffix(self) -> str:
        return f".{self.shard_size}.part"

    def _part(self, index: int) -> Path:
        return self.path / f".{self.name}-{index:06d}.tar{self._suffix}"

    def _is_mine(self, index: int) -> bool:
        return index % self.world == self.rank and not self._part(index).exists()

    def _write_parts(self, head: Head, samples: Iterator[Sample]) -> int:
        count = 0
        for index in filter(self._is_mine, itertools.count()):
            chunk = itertools.islice(samples, self.shard_size)
            first = next(chunk, None)
            if first is None and (index > 0 or self.world > 1):
                break
            temporary = self.path / f".{self.name}-{index:06d}.tar.{os.getpid()}.tmp"
            try:
                with open(temporary, "wb") as file:
                    count += write_stream(file, head, itertools.chain([first] if first else [], chunk))
                    os.fsync(file.fileno())
                os.replace(temporary, self._part(index))
            finally:
                temporary.unlink(missing_ok=True)
        return count

    def _show(self) -> None:
        parts = self.parts()
        if parts != [self._part(index) for index in range(len(parts))]:
            raise AdvtoolError(f"{self.path}: unfinished shards do not follow one another; -f starts anew")
        for old in shard_paths(self.path, self.name):
            old.unlink()
        for index, part in enumerate(parts):
            os.replace(part, self.path / f"{self.name}-{index:06d}.tar")
        sync_directory(self.path)
