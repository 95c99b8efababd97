"""JSON lines of what became of each sample, which an interrupted run goes on from."""

import fcntl
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import Any, BinaryIO, Generic, Protocol, TypeVar

from advtool import bounds
from advtool.errors import AdvtoolError
from advtool.io.atomic import is_special, sync_directory, writing

SCHEMA = 1


class Line(Protocol):
    """What became of one image, as a line of the file holds it: the fields of a dataclass."""

    def __init__(self, **fields: Any): ...

    @property
    def key(self) -> str: ...

    @property
    def image(self) -> str | None:
        """Which image it was, see `sample_record.fingerprint`."""

    @property
    def threat(self) -> tuple[float | None, str | None]:
        """(radius, norm) that it is about, None for none."""

    def to_json(self) -> dict[str, Any]: ...

    def check(self) -> None:
        """Raise ValueError if it was read from something that is none."""


Outcome = TypeVar("Outcome", bound=Line)


class SampleFile(Generic[Outcome]):
    """A file of JSON lines: first what run this is, then what became of a sample in each. It only ever grows.

    Of a last line that was cut short the beginning is removed, and its sample is done again. An outcome is of the image
    that it was found for, and is not taken for that of another image with the same key.

    Parameters
    ----------
    runs : what identifies the run, as the file begins; further ones as earlier versions began it

    Attributes
    ----------
    kind : what a line holds
    """

    kind: type[Outcome]

    def __init__(self, path: str | Path, runs: Sequence[Mapping[str, Any]]):
        self._path = Path(path)
        self._known: dict[tuple[str, float | None, str | None], list[Outcome]] = {}
        self._images: dict[str, set[str]] = {}
        self._met: dict[str, set[str]] = {}
        starts = [json.dumps({"schema": SCHEMA, "run": run}, sort_keys=True).encode() + b"\n" for run in runs]
        self._special = is_special(path)
        self._pipe: BinaryIO | None = None
        with writing(path):
            begun = not self._special and self._read(starts)
        if not begun:
            self._write(starts[0])
            sync_directory(self._path.parent)

    def __len__(self) -> int:
        return sum(map(len, self._known.values()))

    def known(
        self, key: str, eps: float | None = None, image: str | None = None, norm: str | None = None
    ) -> Outcome | None:
        """The outcome of a sample that is in the file already.

        Parameters
        ----------
        eps : None for attacks without a radius
        image : which image it has to be of; None for the last that was written
        norm : where the run has several

        Raises
        ------
        AdvtoolError
            if the file is of another image with that key, or of an earlier version and does not say of which
        """
        found = self._known.get((key, eps, norm), [])
        if image is None:
            return found[-1] if found else None
        if any(outcome.image is None for outcome in found):
            raise AdvtoolError(
                f"{self._path}: was written by an earlier version and may be of other images than these;"
                " remove it or name another file"
            )
        met = self._met.setdefault(key, set())  # several shards may have samples of one key
        met.add(image)
        others = self._images.get(key, set())
        if image not in others and others - met:
            raise AdvtoolError(
                f"{self._path}: is of other images: its '{key}' is not the one here; remove it or name another file"
            )
        return next((outcome for outcome in reversed(found) if outcome.image == image), None)

    def append(self, outcomes: Iterable[Outcome]) -> None:
        """Add outcomes, on disk before this returns."""
        self._write("".join(json.dumps(outcome.to_json()) + "\n" for outcome in outcomes).encode())

    def remove(self) -> None:
        """Delete the file."""
        self._path.unlink(missing_ok=True)

    def _write(self, lines: bytes) -> None:
        with writing(self._path), self._opened() as file:
            self._lock(file)
            file.write(lines)
            file.flush()
            if not self._special:
                os.fsync(file.fileno())

    def _opened(self) -> AbstractContextManager[BinaryIO]:
        """The file, to be closed; a pipe stays open, since its reader ends when it is closed."""
        if not self._special:
            return open(self._path, "ab")
        if self._pipe is None:
            self._pipe = open(self._path, "ab", opener=_without_waiting)  # noqa: SIM115
        return nullcontext(self._pipe)

    def _lock(self, file: BinaryIO) -> None:
        """Until the file is closed: what is half written by another process is no line that was cut short."""
        if not self._special:
            with suppress(OSError):  # there are none on some file systems
                fcntl.flock(file, fcntl.LOCK_EX)

    def _read(self, starts: Sequence[bytes]) -> bool:
        """Take note of the outcomes that are there, and cut off an incomplete last line: whether there is a start."""
        if not self._path.exists():
            return False
        with open(self._path, "rb") as file:
            self._lock(file)
            end, rest = self._read_lines(file, starts)
            if rest:
                os.truncate(self._path, end)
                os.fsync(file.fileno())
        return end > 0

    def _read_lines(self, file: BinaryIO, starts: Sequence[bytes]) -> tuple[int, bytes]:
        """(where the last whole line ends, what follows it)."""
        end = 0
        for number, line in enumerate(iter(lambda: file.readline(bounds.LINE_BYTES), b""), 1):
            if len(line) == bounds.LINE_BYTES:
                raise AdvtoolError(f"{self._path}: line {number} has {len(line)} bytes and more; it is not ours")
            if number == 1 and line not in starts and not any(start.startswith(line) for start in starts):
                raise self._of_another_run()
            if not line.endswith(b"\n"):
                return end, line
            if number > 1:
                self._remember(line, number)
            end += len(line)
        return end, b""

    def _remember(self, line: bytes, number: int) -> None:
        try:
            outcome = self.kind(**json.loads(line))
            outcome.check()
        except (ValueError, TypeError, OverflowError, RecursionError):
            raise AdvtoolError(f"{self._path}: line {number} is not the outcome of a sample") from None
        self._known.setdefault((outcome.key, *outcome.threat), []).append(outcome)
        if outcome.image is not None:
            self._images.setdefault(outcome.key, set()).add(outcome.image)

    def _of_another_run(self) -> AdvtoolError:
        return AdvtoolError(f"{self._path}: holds the samples of another run; remove it or name another file")


def _without_waiting(path: str, flags: int) -> int:
    """Open a file; of a named pipe that nobody reads it is an error, and not waited for."""
    handle = os.open(path, flags | os.O_NONBLOCK, 0o666)
    os.set_blocking(handle, True)
    return handle
