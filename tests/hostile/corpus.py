"""Hostile inputs by kind: each builds files in a directory and says which command is to refuse them, in one line."""

import io
import json
import os
import struct
import tarfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CANARY = "canary"
MODEL = "model.safetensors"
"""A good checkpoint of the digits that lies beside every input."""
JSON_VALUES: dict[str, str] = {
    "null": "null",
    "true": "true",
    "zero": "0",
    "minus": "-1",
    "half": "0.5",
    "infinity": "Infinity",
    "nan": "NaN",
    "1e400": "1e400",
    "10^400": "1" + "0" * 400,
    "10^5000": "1" + "0" * 5000,
    "text": '"x"',
    "empty text": '""',
    "list": "[]",
    "lists": "[[1],[2]]",
    "mapping": "{}",
    "mixed": '[1,"a",null]',
    "deep": "[" * 100_000 + "]" * 100_000,
    "surrogate": '"\\ud800"',
}
"""Every type that JSON has, as text."""


@dataclass(frozen=True)
class Input:
    """One hostile input.

    Attributes
    ----------
    kind, name : of the input, for the table
    make : builds it in the current directory; returns the command line
    says : what the one line on stderr must match: the file, and the key where there is one
    """

    kind: str
    name: str
    make: Callable[[], Sequence[str]]
    says: str = "evil"


def many(kind: str, says: str, command: Sequence[str], builders: dict[str, Callable[[], Any]]) -> Iterator[Input]:
    """Inputs of one kind that one command refuses."""
    for name, build in builders.items():
        yield Input(kind, name, _then(build, command), says)


def _then(build: Callable[[], Any], command: Sequence[str]) -> Callable[[], Sequence[str]]:
    def make() -> Sequence[str]:
        build()
        return command

    return make


def put(name: str, data: bytes | str) -> None:
    """Write a file."""
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_bytes(data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data)


def sparse(name: str, size: int, start: bytes = b"") -> None:
    """A file of that many bytes that are mostly not there."""
    put(name, start)
    os.truncate(name, size)


def tar_of(*members: tuple[str, bytes], tar_format: int = tarfile.PAX_FORMAT) -> bytes:
    """A tar of these members."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tar_format) as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def safetensors_of(meta: str | None, tensors: dict[str, tuple[str, list[int], bytes]]) -> bytes:
    """A safetensors file with any metadata and tensors: name → (type, shape, bytes)."""
    header: dict[str, Any] = {} if meta is None else {"__metadata__": {"advtool": meta}}
    data = b""
    for name, (kind, shape, content) in tensors.items():
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def opened(path: str) -> tuple[dict[str, Any], dict[str, tuple[str, list[int], bytes]]]:
    """(metadata, tensors) of a checkpoint of ours."""
    data = Path(path).read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    meta = json.loads(header.pop("__metadata__")["advtool"])
    body = data[8 + length :]
    return meta, {name: (e["dtype"], e["shape"], body[slice(*e["data_offsets"])]) for name, e in header.items()}


def checkpoint(tensors: dict[str, Any] | None = None, as_text: dict[str, str] | None = None, **changes: Any) -> bytes:
    """The good checkpoint, with other fields and tensors.

    Parameters
    ----------
    as_text : fields whose value is given as the text of JSON, which need not be such that Python writes
    """
    meta, own = opened(MODEL)
    meta |= changes
    for number, field in enumerate(as_text or {}):
        meta[field] = f"@{number}@"
    text = json.dumps(meta)
    for number, value in enumerate((as_text or {}).values()):
        text = text.replace(f'"@{number}@"', value)
    return safetensors_of(text, own if tensors is None else tensors)


class Runs:
    """Unpickled, it leaves the canary."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {CANARY}",)


def inputs() -> list[Input]:
    """All of them."""
    from hostile import corpus_data, corpus_files, corpus_shards, corpus_weights, corpus_words

    parts = corpus_shards, corpus_weights, corpus_files, corpus_data, corpus_words
    return [made for part in parts for made in part.inputs()]
