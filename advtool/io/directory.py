"""A directory of shards ``NAME-%06d.tar`` that appear together, made by one process or several, in one go or more."""

import glob
import itertools
import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from advtool.errors import AdvtoolError
from advtool.io.atomic import sync_directory, writing
from advtool.io.head import Head
from advtool.io.locks import locked_directory
from advtool.io.parts import Fingerprint, Hashing, Part, check_input, check_parts, part_path, refusal
from advtool.io.samples import Sample
from advtool.io.shards import shard_paths, write_stream
from advtool.io.temporary import sweep, temporary_file


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
    inputs : what each shard is made of, as far as `todo` has come
    """

    path: Path
    name: str
    shard_size: int
    resumable: bool = False
    rank: int = 0
    world: int = 1
    barrier: Callable[[], None] = lambda: None
    inputs: dict[int, Fingerprint] = field(default_factory=dict)

    def check(self, head: Head) -> None:
        """Refuse to go on from parts that are not as they were written, or that another command made.

        Raises
        ------
        UsageError
        """
        check_parts(self._mine(), head, self.shard_size)

    def todo(self, samples: Iterable[Sample]) -> Iterator[Sample]:
        """Of the samples that all shards together hold, in order, those of the shards that are left to make here.

        Raises
        ------
        UsageError
            if a finished shard is of other samples
        """
        finished = self._finished()
        rest = iter(samples)
        for index in itertools.count():
            chunk = itertools.islice(rest, self.shard_size)
            first = next(chunk, None)
            if first is None:
                break
            self.inputs[index] = found = Fingerprint()
            left = index % self.world == self.rank and index not in finished
            for sample in itertools.chain([first], chunk):
                found.add(sample)
                if left:
                    yield sample
            if part := finished.pop(index, None):
                check_input(part, found)
        for part in finished.values():
            raise refusal(part.path, "of other samples than these")

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
            with self.locked(), writing(self.path):
                if not self.resumable:
                    self.discard()
                count = self._write_parts(head, iter(samples))
                self.barrier()
                if self.rank == 0:
                    self._show()
                self.barrier()
                complete = True
        finally:
            if not complete and made_directory:
                with suppress(OSError):
                    self.path.rmdir()
        return count

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other runs out of the directory; what is in it when the run fails and is not resumable goes.

        Raises
        ------
        UsageError
            if another run is writing there
        """
        with locked_directory(self.path, shared=self.world > 1):
            try:
                yield
            except BaseException:
                if not self.resumable:
                    self.discard()
                raise

    def parts(self) -> list[Path]:
        """Finished shards of a run that has not come to its end."""
        return sorted(self.path.glob(f".{glob.escape(self.name)}-[0-9]*.part"))

    def discard(self) -> None:
        """Remove all parts, of several processes those that this one makes."""
        for path in self._mine():
            path.unlink(missing_ok=True)

    def _mine(self) -> list[Path]:
        """The parts that this process makes, and of several the first has those that have no number."""
        parts = [(path, Part.of(path)) for path in self.parts()]
        return [path for path, part in parts if self.rank == (part.index % self.world if part else 0)]

    def _finished(self) -> dict[int, Part]:
        """Those that this process has made, by number."""
        return {part.index: part for part in map(Part.of, self._mine()) if part}

    def _write_parts(self, head: Head, samples: Iterator[Sample]) -> int:
        sweep(self.path, rf"{re.escape(self.name)}-[0-9]+\.tar", is_pattern=True)
        count, finished = 0, self._finished()
        for index in itertools.count():
            if index % self.world != self.rank or index in finished:
                continue
            chunk = itertools.islice(samples, self.shard_size)
            first = next(chunk, None)
            if first is None and (index > 0 or self.world > 1):
                break
            target = self.path / f"{self.name}-{index:06d}.tar"
            with temporary_file(target) as (file, temporary):
                out = Hashing(file)
                count += write_stream(out, head, itertools.chain([first] if first else [], chunk))
                os.fsync(file.fileno())
                os.replace(temporary, part_path(target, self.shard_size, self.inputs.get(index), out))
        return count

    def _show(self) -> None:
        parts = list(map(Part.of, self.parts()))
        if [part and part.index for part in parts] != [*range(len(parts))]:
            raise AdvtoolError(f"{self.path}: unfinished shards do not follow one another; -f starts anew")
        for old in shard_paths(self.path, self.name):
            old.unlink()
        for part in parts:
            if part:
                os.replace(part.path, part.target)
        sync_directory(self.path)
