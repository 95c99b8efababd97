"""Checkpoint files: safetensors with one metadata key, ``advtool``, that holds sorted JSON.

A second metadata key would make the bytes differ from run to run.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from advtool.errors import AdvtoolError
from advtool.io.streams import SAFETENSORS, Stream

if TYPE_CHECKING:
    from torch import Tensor

SCHEMA = 1
METADATA_KEY = "advtool"
MAX_BYTES = 16 << 30


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
        data = stream.expect(SAFETENSORS, "a safetensors checkpoint").read_all(MAX_BYTES)
    tensors, meta = parse(data, stream.name)
    if meta is None:
        raise AdvtoolError(
            f"{stream.name}: a safetensors file, but not an advtool checkpoint (it lacks the '{METADATA_KEY}' metadata)"
        )
    return CheckpointFile(stream.name, hashlib.sha256(data).hexdigest(), tensors, meta)


def parse(data: bytes, name: str) -> tuple[dict[str, "Tensor"], dict[str, Any] | None]:
    """(tensors, advtool's metadata) of a safetensors file; None where it has none, as those of other libraries.

    Parameters
    ----------
    name : of the file, for messages

    Raises
    ------
    AdvtoolError
        if the file is damaged, or its metadata are of another schema
    """
    import safetensors
    import safetensors.torch

    header = _header(data, name)
    stated = 8 + int.from_bytes(data[:8], "little") + max((end for _, end in _extents(header)), default=0)
    if len(data) < stated:
        raise AdvtoolError(f"{name}: safetensors file cut short: {len(data)} of {stated} bytes")
    try:
        tensors = safetensors.torch.load(data)
    except (safetensors.SafetensorError, ValueError, KeyError) as error:
        raise AdvtoolError(f"{name}: corrupt safetensors file ({error})") from None
    return tensors, _metadata(header, name)


def to_bytes(tensors: Mapping[str, "Tensor"], meta: Mapping[str, Any]) -> bytes:
    """Serialise a checkpoint; equal tensors and metadata give equal bytes."""
    import safetensors.torch

    text = json.dumps({"schema": SCHEMA, **meta}, sort_keys=True, allow_nan=False)
    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    return safetensors.torch.save(contiguous, {METADATA_KEY: text})


def _header(data: bytes, name: str) -> dict:
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 + length:
        raise AdvtoolError(f"{name}: safetensors file cut short inside its header: {len(data)} of {8 + length} bytes")
    try:
        header = json.loads(data[8 : 8 + length])
        if not isinstance(header, dict):
            raise ValueError
        return header
    except (ValueError, RecursionError):
        raise AdvtoolError(f"{name}: looks like safetensors, but its header is not JSON") from None


def _extents(header: dict) -> list[tuple[int, int]]:
    pairs = (entry.get("data_offsets") for entry in header.values() if isinstance(entry, dict))
    return [
        (pair[0], pair[1])
        for pair in pairs
        if isinstance(pair, list) and len(pair) == 2 and all(isinstance(n, int) for n in pair)
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
    if meta.get("schema") != SCHEMA:
        raise AdvtoolError(f"{name}: checkpoint of schema {meta.get('schema')}, this advtool reads schema {SCHEMA}")
    return meta
