"""Checkpoints of ours and weights that other libraries saved: from a path or a stream to one kind of file."""

from dataclasses import replace
from pathlib import Path

import torch

from advtool.errors import AdvtoolError, UsageError
from advtool.io import checkpoints, foreign, streams
from advtool.io.checkpoints import CheckpointFile
from advtool.io.foreign import ForeignFile
from advtool.io.shape import Shape
from advtool.io.streams import SAFETENSORS, TORCH, Stream
from advtool.models.classifier import Classifier, ModelSpec
from advtool.models.converting import Wanted, convert
from advtool.models.described import describe
from advtool.models.fitting import layout
from advtool.models.registry import build

__all__ = ["Wanted", "read", "read_path", "refit"]


def read_path(path: str | Path, wanted: Wanted | None = None) -> CheckpointFile:
    """Read a checkpoint of ours, or weights of another library: a file, one beside its configuration, or a folder.

    Raises
    ------
    UsageError
        if neither the file nor its configuration nor `wanted` says the architecture
    AdvtoolError
        if it is something else, damaged, unsafe, or does not fit the architecture
    """
    if not str(path):
        raise UsageError("the name of a checkpoint must not be empty")
    file = foreign.locate(Path(path))
    if foreign.is_index(file):
        found: CheckpointFile | ForeignFile = foreign.read_parts(file)
    else:
        found = _open(streams.open_path(file))
    if isinstance(found, CheckpointFile):
        return found
    config, processor = (_beside(file, name, Path(path).is_dir()) for name in (foreign.CONFIG, foreign.PROCESSOR))
    return convert(found, wanted or Wanted(), describe(config, processor, found.path))


def read(stream: Stream, wanted: Wanted | None = None) -> CheckpointFile:
    """Read the same from a stream, which has nothing beside it, and close it."""
    found = _open(stream)
    return found if isinstance(found, CheckpointFile) else convert(found, wanted or Wanted())


def refit(model: Classifier, shape: Shape, own: bool = False) -> None:
    """Make a model one for images of another size, where its weights fit that too.

    Parameters
    ----------
    own : the model is known to be for its size, not taken to be: it has to be the very same network for the other
    """
    other = replace(model.spec, shape=shape)
    if shape[0] != model.spec.shape[0] or model.spec.pixels is not None or layout(other) != layout(model.spec):
        return
    if own and _structure(other) != _structure(model.spec):
        return
    state = model.net.state_dict()
    net = build(other).net
    net.load_state_dict(state)
    model.net, model.spec = net.to(model.mean.device).train(model.training), other


def _structure(spec: ModelSpec) -> str:
    """All layers with their strides and paddings, in words."""
    with torch.device("meta"):
        return repr(build(spec).net)


def _open(stream: Stream) -> CheckpointFile | ForeignFile:
    if stream.kind == TORCH:
        return foreign.read(stream)
    with stream:
        tensors, meta, sha256 = checkpoints.parse(stream.expect(SAFETENSORS, "a checkpoint"))
    if meta is None:
        return ForeignFile(stream.name, sha256, {"": tensors})
    return CheckpointFile(stream.name, sha256, tensors, meta)


def _beside(file: Path, name: str, is_folder: bool) -> dict | None:
    """A JSON file in the same folder; None where there is none, or it lies there by chance and is none."""
    path = file.parent / name
    if not path.is_file():
        return None
    try:
        return foreign.read_json(path)
    except AdvtoolError:
        if is_folder or file.name.startswith(foreign.WEIGHTS):
            raise
        return None
