"""Who is writing into a directory, or to a file."""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from advtool.errors import UsageError

_HELD = (errno.EWOULDBLOCK, errno.EACCES)


@contextmanager
def locked_directory(path: Path, shared: bool = False, waits: bool = False) -> Iterator[None]:
    """Keep other processes out for as long as the block lasts; the lock is gone with the process.

    Parameters
    ----------
    shared : with those that share it as well
    waits : until others have left it

    Raises
    ------
    UsageError
        if another process is in it
    """
    handle = os.open(path, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if waits else fcntl.LOCK_NB))
        except OSError as error:
            if error.errno in _HELD:  # else there are no locks here
                message = f"another run is writing shards into {path}; wait for it, or name another directory"
                raise UsageError(message, parameter="out") from None
        yield
    finally:
        os.close(handle)


@contextmanager
def locked_file(path: Path | None) -> Iterator[None]:
    """Keep other processes from making the same file for as long as the block lasts: ``.NAME.lock`` beside it.

    Parameters
    ----------
    path : of the file, which need not be there; None for no lock

    Raises
    ------
    UsageError
        if another process is making it
    """
    if path is None:
        yield
        return
    lock = Path(os.path.realpath(path))
    lock = lock.with_name(f".{lock.name}.lock")
    handle = _taken(lock, path)
    try:
        yield
    finally:
        with suppress(FileNotFoundError):
            os.unlink(lock)
        os.close(handle)


def _taken(lock: Path, path: Path) -> int:
    """The descriptor of a lock file that is this process's alone, and in its place."""
    while True:
        handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in _HELD:
                os.close(handle)
                message = "another run is writing it; wait for that, or name another file"
                raise UsageError(message, parameter="out", value=path) from None
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(handle), os.lstat(lock)):
                return handle
        os.close(handle)  # whoever had it has just removed it
