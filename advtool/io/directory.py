"""A directory of shards ``NAME-%06d.tar`` that appear together, made by one process or several, in one go or more."""

import glob
import itertools
import os
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from advtool.errors import AdvtoolError
from advtool.io.atomic import sync_directory, writing
from advtool.io.head import Head
from advtool.io.locks import locked_directory
from advtool.io.parts import Fingerprint, Hashing, Part, check_input, check_named, check_parts, part_path, refusal
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
    inputs : what each shard that is made here is made of, as far as `todo` has come
    independent : the processes do not know of one another and may come one after another; each goes on from all that
        is there, and the last to end names the shards
    """

    path: Path
    name: str
    shard_size: int
    resumable: bool = False
    rank: int = 0
    world: int = 1
    barrier: Callable[[], None] = lambda: None
    inputs: dict[int, Fingerprint] = field(default_factory=dict)
    independent: bool = False
    _total: list[int] = field(default_factory=list)

    def check(self, head: Head) -> None:
        """Refuse to go on from parts that are not as they were written, or that another command made.

        Raises
        ------
        UsageError
        """
        check_parts(self._mine(), head, self.shard_size)
        if self.independent:
            check_named(self._named().values(), head)

    def todo(self, samples: Iterable[Sample]) -> Iterator[Sample]:
        """Of the samples that all shards together hold, in order, those of the shards that are left to make here.

        Raises
        ------
        UsageError
            if a finished shard is of other samples
        """
        finished, named = self._finished(), self._named()
        rest = iter(samples)
        for index in itertools.count():
            chunk = itertools.islice(rest, self.shard_size)
            first = next(chunk, None)
            if first is None:
                self._total[:] = [index]
                break
            if index % self.world != self.rank or index in named:
                deque(chunk, maxlen=0)
                continue
            self.inputs[index] = found = Fingerprint()
            for sample in itertools.chain([first], chunk):
                found.add(sample)
                if index not in finished:
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
                if self.rank == 0 and not self.independent:
                    self._show()
                self.barrier()
                complete = True
            if self.independent and not self.left() and self.parts():
                with locked_directory(self.path, waits=True), writing(self.path):
                    self._name_rest()
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
        with locked_directory(self.path, shared=self.world > 1 or self.independent):
            try:
                yield
            except BaseException:
                if not self.resumable:
                    self.discard()
                raise

    def left(self) -> int:
        """How many shards are not there yet, of a directory whose processes are independent."""
        if not (self.independent and self._total):
            return 0
        there = {part.index for part in map(Part.of, self.parts()) if part} | self._named().keys()
        return len({*range(self._total[0])} - there)

    def parts(self) -> list[Path]:
        """Finished shards of a run that has not come to its end."""
        return sorted(self.path.glob(f".{glob.escape(self.name)}-[0-9]*.part"))

    def discard(self) -> None:
        """Remove all parts, of several processes those that this one makes."""
        for path in self._mine():
            path.unlink(missing_ok=True)
        for index, path in self._named().items():
            if index % self.world == self.rank:
                path.unlink(missing_ok=True)

    def _mine(self) -> list[Path]:
        """The parts that this process makes, and of several the first has those that have no number."""
        parts = [(path, Part.of(path)) for path in self.parts()]
        return [path for path, part in parts if self.rank == (part.index % self.world if part else 0)]

    def _named(self) -> dict[int, Path]:
        """The shards that have their names already, by number, of a directory whose processes are independent."""
        if not self.independent:
            return {}
        found = {
            path: re.fullmatch(r"([0-9]{6,})\.tar", path.name[len(self.name) + 1 :])
            for path in shard_paths(self.path, self.name)
        }
        return {int(match[1]): path for path, match in found.items() if match}

    def _name_rest(self) -> None:
        """Give the parts their names, if they are all there still."""
        if not self.left():
            for part in map(Part.of, self.parts()):
                if part:
                    os.replace(part.path, part.target)
            sync_directory(self.path)

    def _finished(self) -> dict[int, Part]:
        """Those that this process has made, by number."""
        return {part.index: part for part in map(Part.of, self._mine()) if part}

    def _write_parts(self, head: Head, samples: Iterator[Sample]) -> int:
        sweep(self.path, rf"{re.escape(self.name)}-[0-9]+\.tar", is_pattern=True)
        count, finished = 0, self._finished().keys() | self._named().keys()
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
