"""Small images, samples and real tar bytes for the tests of `io` and `data`."""

import io
import struct
import tarfile
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from advtool.io import images, shards
from advtool.io.head import Head
from advtool.io.readers import SampleReader
from advtool.io.samples import Sample
from advtool.io.streams import Stream
from advtool.io.tar import read_members

BLOCK = 512
END = bytes(2 * BLOCK)


def pixels(seed: int = 0, channels: int = 1, side: int = 8) -> np.ndarray:
    """A uint8 image C×H×W of noise."""
    return np.random.default_rng(seed).integers(0, 256, (channels, side, side), dtype=np.uint8)


def floats(seed: int = 0, channels: int = 3, side: int = 8) -> np.ndarray:
    """A float32 image C×H×W of noise, not a multiple of 1/255."""
    return np.random.default_rng(seed).random((channels, side, side), dtype=np.float32)


def sample(key: str, label: int = 0, image: np.ndarray | None = None, **members: bytes) -> Sample:
    """A sample with a PNG, or an npy where the image is float; `members` add to it or replace."""
    image = pixels(label) if image is None else image
    encoded = {"npy": images.encode_npy(image)} if image.dtype.kind == "f" else {"png": images.encode_png(image)}
    return Sample(key, {**encoded, "cls": str(label).encode(), **members}, "made")


def samples(n: int, prefix: str = "k", **kwargs) -> list[Sample]:
    return [sample(f"{prefix}{index}", index % 3, pixels(index), **kwargs) for index in range(n)]


def shard(made: list[Sample], head: Head | None = None) -> bytes:
    """The tar that advtool writes for these samples."""
    out = io.BytesIO()
    shards.write_stream(out, head or Head(), made)
    return out.getvalue()


def tar(members: list[tuple[str, bytes]], tar_format: int = tarfile.PAX_FORMAT) -> bytes:
    """The tar that `tarfile` writes for any members."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tar_format) as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def header(name: str = "k.cls", size: int = 0, kind: bytes = tarfile.REGTYPE, linkname: str = "") -> bytes:
    """One 512-byte header block with a right checksum, whatever it claims."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, linkname
    block = bytearray(info.tobuf(tarfile.USTAR_FORMAT))
    block[124:136] = tarfile.itn(size, 12, tarfile.GNU_FORMAT)
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % BLOCK)


def pax(records: dict[str, str]) -> bytes:
    """A pax header member that holds for the member after it."""
    body = b""
    for keyword, value in records.items():
        text = f" {keyword}={value}\n".encode()
        length = len(text) + 1
        while len(str(length)) + len(text) != length:
            length += 1
        body += str(length).encode() + text
    return header("pax", len(body), tarfile.XHDTYPE) + padded(body)


def stream(data: bytes, name: str = "made.tar") -> Stream:
    return Stream(io.BytesIO(data), name)


def read(data: bytes) -> list[Sample]:
    """All samples of a tar in memory."""
    return list(SampleReader([stream(data)], "made.tar"))


def names(data: bytes) -> list[str]:
    """Names of the members that advtool sees."""
    return [member.name for member in read_members(stream(data))]


def encode(array: np.ndarray, kind: str, mode: str | None = None, **options) -> bytes:
    """An image file by Pillow: H×W or H×W×3, converted to `mode` first."""
    image = Image.fromarray(array)
    out = io.BytesIO()
    (image.convert(mode) if mode else image).save(out, kind, **options)
    return out.getvalue()


def raw_png(width: int, height: int, depth: int, colour: int, data: bytes = b"") -> bytes:
    """A PNG whose header claims anything."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    start = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", start) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


def raw_npy(text: str, data: bytes = b"") -> bytes:
    """An .npy file of version 1.0 with any header text."""
    encoded = text.encode("latin1") + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(encoded)) + encoded + data


def write_shards(directory: Path, split: str, made: list[Sample], head: Head | None = None) -> Path:
    """One shard SPLIT-000000.tar in a directory."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{split}-000000.tar"
    path.write_bytes(shard(made, head))
    return path


def write_classes(directory: Path, classes: dict[str, int], kind: str = "png") -> None:
    """Class folders with that many images each."""
    for label, (name, count) in enumerate(classes.items()):
        (directory / name).mkdir(parents=True, exist_ok=True)
        for index in range(count):
            data = encode(pixels(100 * label + index)[0], {"jpg": "JPEG"}.get(kind, kind.upper()))
            (directory / name / f"{index}.{kind}").write_bytes(data)


def files_below(directory: Path) -> list[str]:
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*") if not path.is_dir())
