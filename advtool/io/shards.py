"""Writing samples as WebDataset tars: a stream or a file.

The bytes depend on the samples and the head alone, so the same input gives the same tar.
"""

import tarfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from advtool.errors import AdvtoolError
from advtool.io import head as head_module
from advtool.io.atomic import Writable, whole_file
from advtool.io.head import Head
from advtool.io.samples import Sample
from advtool.io.streams import open_path
from advtool.io.tar import read_members


class Shard:
    """One tar that samples are added to; it is whole only once it is finished."""

    def __init__(self, file: Writable, head: Head):
        self._file, self._written = file, _add(file, head_module.NAME, head.to_bytes())
        self._members: list[str] | None = None
        self._seen: set[int] = set()

    def __len__(self) -> int:
        return len(self._seen)

    def add(self, sample: Sample) -> None:
        """Add a sample, which has the same members as those before it and another key."""
        extensions = sorted(sample.members, key=_member_order)
        if self._members is None:
            self._members = extensions
        elif extensions != self._members:
            raise sample.fault(f"has members {_listed(extensions)}, but those before it have {_listed(self._members)}")
        if hash(sample.key) in self._seen:
            raise sample.fault("its key is in the output already; write several shards with -o DIR/")
        self._seen.add(hash(sample.key))
        for extension in extensions:
            self._written += _add(self._file, f"{sample.key}.{extension}", sample.members[extension])

    def finish(self) -> None:
        """Write the end-of-archive marker."""
        marker = 2 * tarfile.BLOCKSIZE
        self._file.write(bytes(marker + -(self._written + marker) % tarfile.RECORDSIZE))
        self._file.flush()


def write_stream(file: Writable, head: Head, samples: Iterable[Sample]) -> int:
    """Write one tar; its end-of-archive marker follows only if `samples` ends without an exception.

    Returns the number of samples.
    """
    shard = Shard(file, head)
    for sample in samples:
        shard.add(sample)
    shard.finish()
    return len(shard)


def write_file(path: str | Path, head: Head, samples: Iterable[Sample]) -> int:
    """Write one tar file, gzipped if its name ends in ``gz``; it appears whole or not at all."""
    with whole_file(path) as file, _maybe_gzip(file, str(path).endswith("gz")) as out:
        return write_stream(out, head, samples)


def shard_paths(directory: Path, name: str) -> list[Path]:
    """The shards ``NAME-*.tar*`` of a directory, in order."""
    return sorted(path for path in directory.glob(f"{name}-*.tar*") if path.name.endswith((".tar", ".gz", ".tgz")))


def first_head(path: Path) -> Head | None:
    """The head that a shard begins with; None if it has none, is damaged, or is a pipe, which is not looked into."""
    if not path.is_file():
        return None
    try:
        with closing(read_members(open_path(path))) as members:
            first = next(members, None)
        return Head.from_bytes(first.data, str(path)) if first and first.name == head_module.NAME else None
    except AdvtoolError:
        return None


def _member_order(extension: str) -> tuple[int, str]:
    return ({"cls": 1, "json": 2}.get(extension, 0), extension)


def _listed(extensions: Iterable[str]) -> str:
    return " ".join(f".{extension}" for extension in extensions)


def _add(file: Writable, name: str, data: bytes) -> int:
    """Write one member and return its size in the archive; `TarFile` would write on when garbage-collected."""
    info = tarfile.TarInfo(name)
    info.size = len(data)
    block = info.tobuf(tarfile.PAX_FORMAT) + data + bytes(-len(data) % tarfile.BLOCKSIZE)
    file.write(block)
    return len(block)


class _Gzip:
    """A gzip stream without name or time, and without a finaliser that writes on after an exception."""

    def __init__(self, file: Writable):
        self._file, self._compress = file, zlib.compressobj(wbits=31)

    def write(self, data: bytes) -> int:
        self._file.write(self._compress.compress(data))
        return len(data)

    def flush(self) -> None:
        """Nothing; flushing would cost compression."""

    def close(self) -> None:
        self._file.write(self._compress.flush())


@contextmanager
def _maybe_gzip(file: Writable, compress: bool) -> Iterator[Writable]:
    if not compress:
        yield file
        return
    out = _Gzip(file)
    yield out
    out.close()
