"""Weights that other libraries saved: one file, a file beside its ``config.json``, or a folder of both."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advtool import bounds
from advtool.errors import AdvtoolError
from advtool.io import checkpoints, regular, streams, torch_files
from advtool.io.states import States
from advtool.io.streams import TORCH, Stream

if TYPE_CHECKING:
    from torch import Tensor

WEIGHTS = ("model.safetensors", "pytorch_model.bin")
CONFIG, PROCESSOR = "config.json", "preprocessor_config.json"
_INDEX = ".index.json"
_SUFFIXES = (".safetensors", ".bin", ".pt", ".pth", ".ckpt")


@dataclass(frozen=True)
class ForeignFile:
    """Weights of another library, and what lies beside them.

    Attributes
    ----------
    path : as it was given
    sha256 : of the file; of the digests of all, where there are several
    states : weights by where in the file they lie
    config, processor : ``config.json`` and ``preprocessor_config.json`` of the same folder
    """

    path: str
    sha256: str
    states: States
    config: dict[str, Any] | None = None
    processor: dict[str, Any] | None = None


def locate(path: Path) -> Path:
    """The file of weights that a path means: itself, or the one in that folder.

    Raises
    ------
    AdvtoolError
        if it is a folder without weights, or with several
    """
    if not path.is_dir():
        return path
    for name in WEIGHTS:
        for candidate in (path / name, path / (name + _INDEX)):
            if candidate.is_file():
                return candidate
    others = sorted(each for each in path.iterdir() if each.suffix in _SUFFIXES and each.is_file())
    if len(others) == 1:
        return others[0]
    held = f"several weights ({', '.join(each.name for each in others[:3])}): name one" if others else "no weights"
    raise AdvtoolError(f"{path}: a folder with {held}; expected {' or '.join(WEIGHTS)}")


def is_index(path: Path) -> bool:
    """Whether this lists the parts of weights that were saved in several files."""
    return path.name.endswith(_INDEX)


def read(stream: Stream) -> ForeignFile:
    """Read the PyTorch file that a stream carries, and close it."""
    states, sha256 = torch_files.read_states(stream)
    return ForeignFile(stream.name, sha256, states)


def read_parts(index: Path) -> ForeignFile:
    """Read weights that were saved in several files, by their index.

    Raises
    ------
    AdvtoolError
        if the index names no files, or files outside its folder
    """
    content = read_json(index)
    weight_map = content.get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise AdvtoolError(f"{index}: no index of weights (it lacks the 'weight_map')")
    parts = sorted({str(name) for name in weight_map.values()})
    checkpoints.check_names([*weight_map, *parts], str(index))
    if any(Path(name).name != name for name in parts):
        raise AdvtoolError(f"{index}: names files outside its folder")
    tensors: dict[str, Tensor] = {}
    digest = hashlib.sha256()
    for name in parts:
        part, sha256 = _read_part(streams.open_path(index.parent / name, regular=True))
        tensors |= part
        if sum(tensor.nbytes for tensor in tensors.values()) > bounds.CHECKPOINT_BYTES:
            raise AdvtoolError(f"{index}: its files hold more than {bounds.CHECKPOINT_BYTES} bytes of tensors")
        digest.update(sha256.encode())
    if missing := sorted(weight_map.keys() - tensors.keys()):
        raise AdvtoolError(f"{index}: '{missing[0]}' is in none of its files")
    return ForeignFile(str(index), digest.hexdigest(), {"": tensors})


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object; AdvtoolError if the file is something else."""
    try:
        content = json.loads(regular.read(path, bounds.JSON_BYTES))
    except (ValueError, RecursionError):
        raise AdvtoolError(f"{path}: not JSON") from None
    if not isinstance(content, dict):
        raise AdvtoolError(f"{path}: a JSON {type(content).__name__}, expected an object")
    return content


def _read_part(stream: Stream) -> tuple[dict[str, "Tensor"], str]:
    if stream.kind == TORCH:
        states, sha256 = torch_files.read_states(stream)
        return next(iter(states.values())), sha256
    with stream:
        tensors, _, sha256 = checkpoints.parse(stream.expect(streams.SAFETENSORS, "a part of the weights"))
    return tensors, sha256
