"""Strict forward-only tar reading.

`tarfile` and `webdataset` take a stream cut between two members for a complete one, and stop at the first
end-of-archive marker. Here an archive counts as complete only with its marker, and concatenated archives are
all read. Header parsing is `tarfile`'s own.
"""

import tarfile
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import cast

from advtool import bounds
from advtool.errors import AdvtoolError
from advtool.io import pax
from advtool.io.streams import TAR, Stream

BLOCK = 512
MAX_MEMBER_BYTES = bounds.MEMBER_BYTES
MAX_HEADER_BYTES = bounds.HEADER_BYTES
_EXTENDED = b"xgXLK"  # types of members that are headers of the next
_SIZE, _TYPE = slice(124, 136), slice(156, 157)


@dataclass(frozen=True, slots=True)
class Member:
    """A regular file of an archive: its name, content and place. `archive` counts from 0 in each stream."""

    name: str
    data: bytes
    stream: str
    archive: int
    offset: int


def read_members(stream: Stream) -> Generator[Member]:
    """Yield the regular files of one or more concatenated tar archives; the stream is closed at the end.

    Raises
    ------
    AdvtoolError
        with the byte offset, if the stream ends before an end-of-archive marker (two zero blocks), has
        anything but archives in it, or holds a link, device, sparse file, or a member above the size cap
    """
    with stream:
        yield from _archives(stream.expect(TAR, "a tar of WebDataset samples"))


def _archives(stream: Stream) -> Iterator[Member]:
    archive, inside, zero_blocks, zeros_from = 0, False, 0, 0
    while True:
        offset = stream.offset
        block = stream.read(BLOCK)
        if not block:
            if not inside:
                return
            raise _cut(stream, offset, "without the end-of-archive marker")
        if not any(block):
            zeros_from = zeros_from if zero_blocks else offset
            zero_blocks += len(block) == BLOCK
            if offset - zeros_from > bounds.ZERO_BYTES:
                most = bounds.mib(bounds.ZERO_BYTES)
                raise AdvtoolError(f"{stream.name}: byte {zeros_from}: more than {most} of zeros, and no member")
            if zero_blocks == 2 and inside:
                archive, inside = archive + 1, False
            continue
        if zero_blocks == 1:
            raise AdvtoolError(f"{stream.name}: byte {offset}: a single zero block inside the archive")
        zero_blocks, inside = 0, True
        if len(block) < BLOCK:
            raise _cut(stream, stream.offset, "inside a member header")
        info = _Header(stream, block).parse(offset)
        if info.isdir():
            continue
        _check(info, stream, offset)
        data = _content(info, stream)
        yield Member(info.name, data, stream.name, archive, offset)


class _Header:
    """What `tarfile.TarInfo.fromtarfile` needs of a TarFile, over our stream."""

    encoding, errors = "utf-8", "surrogateescape"

    def __init__(self, stream: Stream, block: bytes):
        self.pax_headers: dict[str, str] = {}
        self.offset = 0
        self.fileobj = self
        self.tarinfo = tarfile.TarInfo
        self._stream, self._block = stream, block
        self._body, self._taken = b"", 0

    def parse(self, offset: int) -> tarfile.TarInfo:
        try:
            return tarfile.TarInfo.fromtarfile(cast(tarfile.TarFile, self))
        except (tarfile.HeaderError, ValueError, OverflowError, RecursionError, LookupError) as error:
            raise AdvtoolError(f"{self._stream.name}: byte {offset}: not a tar header ({error})") from None

    def read(self, size: int) -> bytes:
        if self._block:
            block, self._block = self._block, b""
            self._body = block[_TYPE] if block[_TYPE] in _EXTENDED else b""
            return block
        self._taken += max(size, 0)
        if not (size >= 0 and self._taken <= MAX_HEADER_BYTES):
            raise AdvtoolError(
                f"{self._stream.name}: byte {self._stream.offset}: member header of {self._taken} bytes,"
                f" more than {MAX_HEADER_BYTES}"
            )
        data = self._stream.read(size)
        if len(data) < size:
            raise _cut(self._stream, self._stream.offset, "inside a member header")
        kind, self._body = self._body, b""
        if kind and kind in b"xgX":
            pax.check(data)  # which `tarfile` would read in quadratic time and memory
        elif not kind and size == BLOCK and data[_TYPE] in _EXTENDED:
            self._body = data[_TYPE]
        return data

    def tell(self) -> int:
        return self._stream.offset


def _check(info: tarfile.TarInfo, stream: Stream, offset: int) -> None:
    if len(info.name) > bounds.NAME_LENGTH:
        raise AdvtoolError(
            f"{stream.name}: byte {offset}: a member name of {len(info.name):,} characters,"
            f" more than {bounds.NAME_LENGTH:,}: '{info.name[:60]}…'"
        )
    kind = None
    if info.sparse is not None:
        kind = "sparse member"
    elif info.issym() or info.islnk():
        kind = "link"
    elif not info.isreg():
        kind = "device or other special member"
    if kind:
        raise AdvtoolError(f"{stream.name}: byte {offset}: '{info.name}' is a {kind}, which a shard may not hold")
    if not 0 <= info.size <= MAX_MEMBER_BYTES:
        raise AdvtoolError(
            f"{stream.name}: byte {offset}: '{info.name}' has {info.size} bytes, not 0 to {MAX_MEMBER_BYTES}"
        )


def _content(info: tarfile.TarInfo, stream: Stream) -> bytes:
    padded = -(-info.size // BLOCK) * BLOCK
    data = stream.read(padded)
    if len(data) < padded:
        raise _cut(stream, stream.offset, f"inside member '{info.name}'")
    return data[: info.size]


def _cut(stream: Stream, offset: int, where: str) -> AdvtoolError:
    reason = ": the stage before this one died or was cut off" if stream.name == "stdin" else ""
    return AdvtoolError(f"{stream.name}: the archive ends at byte {offset} {where}{reason}")
