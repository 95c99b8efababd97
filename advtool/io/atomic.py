"""Files that appear whole or not at all."""

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Protocol

from advtool.errors import AdvtoolError
from advtool.io.temporary import temporary_file

_DESCRIPTOR = re.compile(r"/dev/(std(in|out|err)|fd/\d+)$|/proc/[^/]+/fd/\d+$")


class Writable(Protocol):
    """What bytes can be written to."""

    def write(self, data: bytes, /) -> int: ...

    def flush(self) -> None: ...


@contextmanager
def whole_file(path: str | Path) -> Iterator[BinaryIO]:
    """Open a file for writing that appears at `path` only when the block ends without an exception.

    Symbolic links are followed to their target; pipes and devices are written straight through.
    """
    with writing(path):
        if is_special(path):
            with open(path, "wb") as file:
                yield file
            return
        target = Path(os.path.realpath(path))
        with temporary_file(target) as (file, temporary):
            yield file
            file.flush()
            os.fsync(file.fileno())
            os.replace(temporary, target)
        sync_directory(target.parent)


class StandardOutput:
    """Binary stdout that writes all it is given: under PYTHONUNBUFFERED, sys.stdout.buffer may write a part."""

    def write(self, data: bytes) -> int:
        rest = memoryview(data)
        with writing("stdout"):
            while rest:
                rest = rest[os.write(1, rest) :]
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""


@contextmanager
def writing(what: str | Path) -> Iterator[None]:
    """Turn an OSError on the way to `what` into one clear line; a broken pipe stays what it is."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise AdvtoolError(f"{what}: cannot write ({error.strerror})") from error


def sync_directory(directory: Path) -> None:
    """Make renames in a directory durable, where the file system can."""
    with suppress(OSError):
        handle = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def is_special(path: str | Path) -> bool:
    """Whether a path is written straight through: a pipe, a device, or a name for an open file descriptor."""
    if _DESCRIPTOR.match(str(path)):
        return True
    try:
        mode = os.stat(path).st_mode
    except OSError:  # there is none, or none that could be opened, which whoever opens it says
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)
