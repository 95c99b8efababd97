"""Files that are read whole: they have to be files, and their size is known before they are read."""

import os
import stat
from pathlib import Path
from typing import BinaryIO

from advtool import bounds
from advtool.errors import AdvtoolError

KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}


def open_regular(path: str | Path) -> BinaryIO:
    """Open a file for reading; AdvtoolError for a pipe or device, which might never say anything."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else f"cannot open ({error.strerror})"
        raise AdvtoolError(f"{path}: {reason}") from None
    except ValueError:  # a null byte
        raise AdvtoolError(f"{path}: not the name of a file") from None
    mode = os.fstat(handle).st_mode
    if not stat.S_ISREG(mode):
        os.close(handle)
        raise AdvtoolError(f"{path}: {KINDS.get(stat.S_IFMT(mode), 'no file')}, where a file is meant")
    return open(handle, "rb", buffering=1 << 20)


def read(path: str | Path, limit: int) -> bytes:
    """The content of a file; AdvtoolError if it is none, or longer than `limit` bytes."""
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        try:
            data = file.read(limit + 1) if size <= limit else b""
        except OSError as error:
            raise AdvtoolError(f"{path}: cannot read ({error.strerror})") from None
    if max(size, len(data)) > limit:
        raise AdvtoolError(f"{path}: a file of {bounds.mib(size)}, more than {bounds.mib(limit)}")
    return data


def read_text(path: str | Path, limit: int) -> str:
    """The same as text in UTF-8, with or without its mark; AdvtoolError if it is something else."""
    try:
        return read(path, limit).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise AdvtoolError(f"{path}: not text in UTF-8") from None


def check(path: str | Path, purpose: str) -> None:
    """Refuse what is there and no file; `purpose` says what would be there."""
    try:
        mode = os.stat(path).st_mode
    except OSError:  # there is none, or whoever opens it says why not
        return
    if not stat.S_ISREG(mode):
        raise AdvtoolError(f"{path}: {KINDS.get(stat.S_IFMT(mode), 'no file')}, where {purpose} is to be; remove it")


def on_disk(file: object) -> int | None:
    """How many bytes of a file lie on disk, where it is one; its holes do not."""
    try:
        status = os.fstat(file.fileno())  # type: ignore[attr-defined]
    except (AttributeError, OSError):
        return None
    return status.st_blocks * 512 if stat.S_ISREG(status.st_mode) else None
