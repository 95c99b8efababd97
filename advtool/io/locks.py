"""Who is writing into a directory."""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from advtool.errors import UsageError

_HELD = (errno.EWOULDBLOCK, errno.EACCES)


@contextmanager
def locked_directory(path: Path, shared: bool = False) -> Iterator[None]:
    """Keep other processes out for as long as the block lasts; the lock is gone with the process.

    Parameters
    ----------
    shared : with those that share it as well

    Raises
    ------
    UsageError
        if another process is in it
    """
    handle = os.open(path, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in _HELD:  # else there are no locks here
                message = f"another run is writing shards into {path}; wait for it, or name another directory"
                raise UsageError(message, parameter="out") from None
        yield
    finally:
        os.close(handle)
