"""Temporary files beside an output: each is locked by who writes it, so that those of dead processes are known."""

import fcntl
import itertools
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

_STEM = 40  # of a name; what is added to it has to fit as well


@contextmanager
def temporary_file(target: Path) -> Iterator[tuple[BinaryIO, Path]]:
    """Open ``.TARGET.PID.tmp`` for writing, which is gone at the end of the block unless it was renamed.

    Those that dead processes left for the same target are removed first. A process is known to live by its lock on
    the file and not by its number, which containers repeat.
    """
    sweep(target.parent, stem(target.name))
    path, file = None, None
    try:
        for number in itertools.count(1):
            path = target.with_name(f".{stem(target.name)}.{os.getpid()}{'' if number == 1 else f'-{number}'}.tmp")
            file = _locked_new(path)
            if file is not None:
                break
        assert file is not None and path is not None
        yield file, path
    finally:
        if file is None or path is None:  # a signal came between the making of the file and its name here
            sweep(target.parent, stem(target.name))
        else:
            _remove_own(path, file)
            with suppress(OSError):  # what could not be written was said already
                file.close()


def stem(name: str) -> str:
    """What the temporary files of an output of this name begin with, after the dot."""
    return name[:_STEM]


def sweep(directory: Path, stem: str, is_pattern: bool = False) -> None:
    """Remove the temporary files that processes which are no more left for an output.

    Parameters
    ----------
    stem : of the output's name, or with `is_pattern` a regular expression for it
    """
    pattern = re.compile(rf"\.{stem if is_pattern else re.escape(stem)}\.[0-9]+(-[0-9]+)?\.tmp", re.DOTALL)
    with suppress(OSError), os.scandir(directory) as entries:
        found = [entry.path for entry in entries if pattern.fullmatch(entry.name) and _is_file(entry)]
        for path in found:
            _remove_dead(path)


def _locked_new(path: Path) -> BinaryIO | None:
    """A new file that this process alone has a lock on; None if there is one of that name."""
    try:
        file = open(path, "xb")  # noqa: SIM115, the caller closes it
    except FileExistsError:
        return None
    try:
        with suppress(OSError):  # where there are no locks, nothing is swept either
            fcntl.flock(file, fcntl.LOCK_EX)
        if _is_at(path, file.fileno()):  # no sweep found it before it was locked
            return file
    except BaseException:
        _remove_own(path, file)
        file.close()
        raise
    file.close()
    return None


def _remove_dead(path: str) -> None:
    with suppress(OSError):
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(path, handle):
                os.unlink(path)
        finally:
            os.close(handle)


def _remove_own(path: Path, file: BinaryIO) -> None:
    """Unless it was renamed; a file of that name is then another's."""
    with suppress(OSError):
        if _is_at(path, file.fileno()):
            os.unlink(path)


def _is_at(path: str | Path, handle: int) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), os.lstat(path))
    except FileNotFoundError:
        return False


def _is_file(entry: os.DirEntry) -> bool:
    return entry.is_file(follow_symlinks=False)
