"""Byte streams whose kind is read from their content, never from their name.

A stream is read forward only and knows its offset, so that every fault can be located.
"""

import functools
import gzip
import io
import os
import stat
import sys
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self

from advtool import bounds
from advtool.errors import AdvtoolError
from advtool.io.regular import on_disk, open_regular

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

SNIFF_BYTES = 512
TAR, SAFETENSORS, TORCH, EMPTY, OTHER = "tar", "safetensors", "torch", "empty", "other"


class Readable(Protocol):
    """What bytes can be read from."""

    def read(self, size: int, /) -> bytes | None: ...

    def close(self) -> None: ...


class Stream:
    """A forward-only reader of one file or pipe.

    Attributes
    ----------
    name : what to call it in messages
    kind : ``tar``, ``safetensors``, ``torch``, ``empty`` or ``other``, from the first 512 (decompressed) bytes
    looks_like : the kind in words
    offset : bytes consumed so far; counted after decompression

    Parameters
    ----------
    owned : whether closing the stream closes the file
    """

    def __init__(self, file: Readable, name: str, owned: bool = True):
        self.name, self.offset = name, 0
        self._owned = file if owned else None
        self._file: Readable = file
        self._on_disk = on_disk(file)
        start = self._guarded_read(SNIFF_BYTES)
        self.compressed = start[:2] == b"\x1f\x8b"
        self._packed = _Prepend(start, file)
        self._file = self._packed
        if self.compressed:
            self._file = gzip.GzipFile(fileobj=self._packed, mode="rb")
            start = self._guarded_read(SNIFF_BYTES)
            self._file = _Prepend(start, self._file)
        self.kind, self.looks_like = identify(start)
        if self.compressed:
            self.looks_like = f"gzip of {self.looks_like}"

    def read(self, size: int) -> bytes:
        """Read up to `size` bytes; fewer only at the end of the stream."""
        data = self._guarded_read(size)
        self.offset += len(data)
        if self.compressed:
            self._check_expansion(bounds.SHARD_EXPANSION)
        return data

    @property
    def consumed(self) -> int:
        """Bytes of the file that were read so far, before decompression."""
        return self._packed.taken if self.compressed else self.offset

    def read_all(self, limit: int) -> bytes:
        """Read to the end; AdvtoolError if that is more than `limit` bytes, or most of it was not there on disk."""
        data = self.read_whole(limit + 1)
        if len(data) > limit:
            raise AdvtoolError(f"{self.name}: more than {limit} bytes")
        return data

    def read_whole(self, size: int) -> bytes:
        """Read up to `size` bytes into memory; AdvtoolError if most of them were not there on disk."""
        pieces, missing = [], size
        while missing and (piece := self.read(min(missing, bounds.MIB))):
            pieces.append(piece)
            missing -= len(piece)
            self._check_expansion(bounds.EXPANSION)
        return b"".join(pieces)

    def _check_expansion(self, factor: int) -> None:
        """Refuse what is made of next to nothing: gzip of zeros, or a file with holes."""
        if self.offset <= bounds.EXPANDED_BYTES:
            return
        there = self._packed.taken if self.compressed else self._on_disk
        if there is not None and self.offset > factor * there:
            way = "unpack it with gunzip" if self.compressed else "fill its holes with cp --sparse=never"
            raise AdvtoolError(
                f"{self.name}: {bounds.mib(self.offset)} and more out of {bounds.mib(there)} on disk; if it is not"
                f" meant to fill the memory, {way}"
            )

    def _guarded_read(self, size: int) -> bytes:
        try:
            return _read_fully(self._file, size)
        except EOFError:
            raise AdvtoolError(f"{self.name}: gzip stream cut short after {self.offset} decompressed bytes") from None
        except (gzip.BadGzipFile, zlib.error) as error:
            raise AdvtoolError(
                f"{self.name}: corrupt gzip data after {self.offset} decompressed bytes ({error})"
            ) from None
        except OSError as error:
            raise AdvtoolError(f"{self.name}: cannot read ({error.strerror})") from None

    def expect(self, kind: str, purpose: str) -> "Stream":
        """Return self if the stream is of this kind; otherwise say what it looks like instead."""
        if self.kind == EMPTY:
            raise AdvtoolError(f"{self.name}: empty, expected {purpose}{_reason(self.name)}")
        if self.kind != kind:
            raise AdvtoolError(f"{self.name}: looks like {self.looks_like}, expected {purpose}")
        return self

    def close(self) -> None:
        """Close the file, if it is the stream's own."""
        if self._owned:
            self._owned.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_path(path: str | Path, regular: bool = False) -> Stream:
    """Open a file or named pipe for reading; a file alone where it is `regular`."""
    try:
        file: Readable = open_regular(path) if regular else open(path, "rb", buffering=1 << 20)  # noqa: SIM115, the stream owns it
    except FileNotFoundError:
        raise AdvtoolError(f"{path}: no such file") from None
    except OSError as error:
        raise AdvtoolError(f"{path}: cannot open ({error.strerror})") from None
    except ValueError:  # a null byte
        raise AdvtoolError(f"{path}: not the name of a file") from None
    try:
        return Stream(file, str(path))
    except BaseException:
        file.close()
        raise


@functools.cache
def stdin() -> Stream:
    """Standard input. Sniffed once, shared by all who ask, and never closed."""
    return Stream(sys.stdin.buffer, "stdin", owned=False)


def stdin_is_data() -> bool:
    """Whether standard input is a pipe or a file, so that data can come from it."""
    try:
        mode = os.fstat(0).st_mode
    except OSError:
        return False
    return sys.stdin is not None and (stat.S_ISFIFO(mode) or stat.S_ISREG(mode))


def identify(start: bytes) -> tuple[str, str]:
    """Name the kind of a stream from its first bytes: (kind, description)."""
    if not start:
        return EMPTY, "nothing"
    if start[257:262] == b"ustar":
        return TAR, "a tar archive"
    if not any(start) and len(start) == SNIFF_BYTES:
        return TAR, "an empty tar archive"
    if len(start) >= 9 and start[8:9] == b"{" and 2 <= int.from_bytes(start[:8], "little") <= 100_000_000:
        return SAFETENSORS, "a safetensors file"
    if start.startswith((_ZIP, _TORCH_BEFORE_ZIP)):
        return TORCH, "a zip or PyTorch (.pt) file"
    for magic, description in _MAGIC:
        if start.startswith(magic):
            return OTHER, description
    text = start.lstrip().lower()
    if text.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        return OTHER, "an HTML or XML page"
    if text.startswith(b"version https://git-lfs"):
        return OTHER, "a Git LFS pointer ('git lfs pull' fetches the file)"
    if text.startswith((b"{", b"[")):
        return OTHER, "JSON text"
    if all(byte >= 32 or byte in b"\t\n\r\f" for byte in start):
        return OTHER, "plain text"
    return OTHER, "unknown binary data"


_ZIP = b"PK\x03\x04"
_TORCH_BEFORE_ZIP = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19"  # pickle of the number that torch.save began with
_MAGIC = (
    (b"\x80\x02", "a pickle"),
    (b"\x80\x03", "a pickle"),
    (b"\x80\x04", "a pickle"),
    (b"\x80\x05", "a pickle"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"\x93NUMPY", "a NumPy array (.npy)"),
    (b"\x89HDF", "an HDF5 file"),
    (b"\xfd7zXZ", "an xz file"),
    (b"BZh", "a bzip2 file"),
    (b"\x28\xb5\x2f\xfd", "a zstandard file"),
)


def _reason(name: str) -> str:
    return " (the stage before this one wrote nothing)" if name == "stdin" else ""


def _read_fully(file: Readable, size: int) -> bytes:
    """Read `size` bytes from a pipe that may give them in pieces."""
    data = file.read(size) or b""
    if len(data) == size or not data:
        return data
    pieces, missing = [data], size - len(data)
    while missing and (piece := file.read(missing)):
        pieces.append(piece)
        missing -= len(piece)
    return b"".join(pieces)


class _Prepend(io.BufferedReader):
    """`file` with `start` put back in front of it; `BufferedReader.peek` may give 3 bytes from a pipe."""

    def __init__(self, start: bytes, file: Readable):
        self._below = _Prepended(start, file)
        super().__init__(self._below, buffer_size=1 << 18)

    @property
    def taken(self) -> int:
        """How many bytes were read so far."""
        return self._below.taken


class _Prepended(io.RawIOBase):
    def __init__(self, start: bytes, file: Readable):
        self._start, self._rest, self.taken = start, file, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer)
        if self._start:
            piece, self._start = self._start[: len(view)], self._start[len(view) :]
        else:
            read = getattr(self._rest, "read1", self._rest.read)
            piece = read(len(view)) or b""
        view[: len(piece)] = piece
        self.taken += len(piece)
        return len(piece)
