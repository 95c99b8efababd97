"""Checkpoint files: safetensors with one metadata key, ``advtool``, that holds sorted JSON.

A second metadata key would make the bytes differ from run to run.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from advtool import bounds
from advtool.errors import AdvtoolError
from advtool.io.streams import SAFETENSORS, Stream

if TYPE_CHECKING:
    from torch import Tensor

SCHEMA = 1
METADATA_KEY = "advtool"
MAX_BYTES = bounds.CHECKPOINT_BYTES
_LENGTH = 8


@dataclass(frozen=True)
class CheckpointFile:
    """Tensors and metadata of a checkpoint, not yet a model.

    Attributes
    ----------
    path : file name, or ``stdin``
    sha256 : of the whole file, hexadecimal
    tensors : name → torch.Tensor
    meta : what the ``advtool`` metadata key says
    own : whether the file is advtool's; else it is another library's, and the metadata were made for it
    """

    path: str
    sha256: str
    tensors: dict[str, "Tensor"]
    meta: dict[str, Any]
    own: bool = True


def read(stream: Stream) -> CheckpointFile:
    """Read a checkpoint from a stream whose kind was sniffed, and close the stream.

    Raises
    ------
    AdvtoolError
        if it is not safetensors, is cut short, or lacks advtool's metadata
    """
    with stream:
        tensors, meta, sha256 = parse(stream.expect(SAFETENSORS, "a safetensors checkpoint"))
    if meta is None:
        raise AdvtoolError(
            f"{stream.name}: a safetensors file, but not an advtool checkpoint (it lacks the '{METADATA_KEY}' metadata)"
        )
    return CheckpointFile(stream.name, sha256, tensors, meta)


def parse(stream: Stream) -> tuple[dict[str, "Tensor"], dict[str, Any] | None, str]:
    """(tensors, advtool's metadata, SHA-256) of a safetensors file; without metadata if it is of another library.

    The header comes first, and no more is read than it says there is.

    Raises
    ------
    AdvtoolError
        if the file is damaged, its size is another than its header says, or its metadata are of another schema
    """
    import safetensors.torch

    name = stream.name
    start, header = _header(stream)
    meta = _metadata(header, name)
    stated = max((end for _, end in _extents(header)), default=0)
    if stated > MAX_BYTES:
        raise AdvtoolError(f"{name}: its header says {stated} bytes of tensors, more than {MAX_BYTES}")
    data = start + stream.read_whole(stated)
    stated += len(start)
    if len(data) < stated:
        raise AdvtoolError(f"{name}: safetensors file cut short: {len(data)} of {stated} bytes")
    if stream.read(1):
        raise AdvtoolError(f"{name}: goes on after the {stated} bytes that its header says; cut off what follows")
    try:
        tensors = safetensors.torch.load(data)
    except Exception as error:  # of the library and of PyTorch, for types and shapes that they do not know
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise AdvtoolError(f"{name}: corrupt safetensors file ({reason})") from None
    return tensors, meta, hashlib.sha256(data).hexdigest()


def to_bytes(tensors: Mapping[str, "Tensor"], meta: Mapping[str, Any]) -> bytes:
    """Serialise a checkpoint; equal tensors and metadata give equal bytes."""
    import safetensors.torch

    text = json.dumps({"schema": SCHEMA, **meta}, sort_keys=True, allow_nan=False)
    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    return safetensors.torch.save(contiguous, {METADATA_KEY: text})


def _header(stream: Stream) -> tuple[bytes, dict]:
    """(the bytes of the header with its length before it, what it says)."""
    name, start = stream.name, stream.read(_LENGTH)
    length = int.from_bytes(start, "little")
    if length > bounds.JSON_BYTES:
        raise AdvtoolError(f"{name}: safetensors header of {length} bytes, more than {bounds.JSON_BYTES}")
    start += stream.read(length)
    if len(start) < _LENGTH + length:
        whole = _LENGTH + length
        raise AdvtoolError(f"{name}: safetensors file cut short inside its header: {len(start)} of {whole} bytes")
    try:
        header = json.loads(start[_LENGTH:])
        if not isinstance(header, dict):
            raise ValueError
    except (ValueError, RecursionError):
        raise AdvtoolError(f"{name}: looks like safetensors, but its header is not JSON") from None
    check_names(header, name)
    return start, header


def check_names(tensors: Iterable[str], path: str) -> None:
    """Refuse so many tensors, or names so long, that the search for a network in them would take long."""
    names = list(tensors)
    if len(names) > bounds.TENSORS:
        raise AdvtoolError(f"{path}: holds {len(names):,} tensors, more than {bounds.TENSORS:,}")
    for name in names:
        if len(name) > bounds.TENSOR_NAME:
            shown = f"'{name[:60]}…' is the name of a tensor"
            raise AdvtoolError(f"{path}: {shown} and has {len(name):,} characters, more than {bounds.TENSOR_NAME:,}")


def _extents(header: dict) -> list[tuple[int, int]]:
    pairs = (entry.get("data_offsets") for entry in header.values() if isinstance(entry, dict))
    return [
        (pair[0], pair[1])
        for pair in pairs
        if isinstance(pair, list) and len(pair) == 2 and all(isinstance(n, int) and n >= 0 for n in pair)
    ]


def _metadata(header: dict, name: str) -> dict | None:
    stated = header.get("__metadata__")
    if not isinstance(stated, dict) or METADATA_KEY not in stated:
        return None
    try:
        meta = json.loads(stated[METADATA_KEY])
        if not isinstance(meta, dict):
            raise ValueError
    except (TypeError, ValueError, RecursionError):
        raise AdvtoolError(
            f"{name}: a safetensors file, but not an advtool checkpoint (its '{METADATA_KEY}' metadata is not JSON)"
        ) from None
    if type(meta.get("schema")) is not int or meta["schema"] != SCHEMA:
        raise AdvtoolError(f"{name}: checkpoint of schema {meta.get('schema')}, this advtool reads schema {SCHEMA}")
    return meta
