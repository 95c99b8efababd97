"""Weights that other libraries saved: a state dict, its prefixes and its normaliser, to a checkpoint of ours.

Known layouts: MadryLab's ``robustness`` (an ``AttackerModel`` that holds each tensor twice, in ``DataParallel``),
RobustBench, and plain torchvision and timm.
"""

import re
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from advtool.errors import AdvtoolError, UsageError
from advtool.io import checkpoints, torch_files
from advtool.io.checkpoints import CheckpointFile
from advtool.io.shape import Shape
from advtool.io.streams import TORCH, Stream
from advtool.models.classifier import Classifier
from advtool.models.fitting import Fit, fit_to, layout
from advtool.models.normalisers import of_file
from advtool.models.registry import build

SHAPES: tuple[Shape, ...] = ((3, 32, 32), (1, 28, 28), (3, 224, 224), (1, 8, 8))
_UNUSED = re.compile(r"(.*\.)?(n_averaged|aux[12]\..*|AuxLogits\..*|sub_block1\..*)")


@dataclass(frozen=True)
class Wanted:
    """What a PyTorch file does not say about its model.

    Attributes
    ----------
    arch, args : architecture, and its arguments
    normalize : ``none``, ``imagenet``, or means and deviations as in ``0.5,0.5,0.5/0.25,0.25,0.25``; for files
        that hold no normaliser
    """

    arch: str | None = None
    args: dict[str, Any] = field(default_factory=dict)
    normalize: str | None = None


def read(stream: Stream, wanted: Wanted = Wanted()) -> CheckpointFile:
    """Read a checkpoint of ours, or a PyTorch file with the architecture that is wanted, and close the stream.

    Raises
    ------
    UsageError
        if it is a PyTorch file and no architecture is given
    AdvtoolError
        if it is something else, damaged, unsafe, or does not fit the architecture
    """
    if stream.kind != TORCH:
        return checkpoints.read(stream)
    tensors, sha256 = torch_files.read_tensors(stream)
    if wanted.arch is None:
        message = f"needed, since {stream.name} is a PyTorch file, which does not say its architecture"
        raise UsageError(message, parameter="arch")
    return _convert(tensors, wanted.arch, wanted, stream.name, sha256)


def refit(model: Classifier, shape: Shape) -> None:
    """Make an imported model one for images of another size, where its weights fit that too."""
    other = replace(model.spec, shape=shape)
    if shape[0] != model.spec.shape[0] or layout(other) != layout(model.spec):
        return
    state = model.net.state_dict()
    net = build(other).net
    net.load_state_dict(state)
    model.net, model.spec = net.to(model.mean.device).train(model.training), other


def _convert(tensors: dict[str, Tensor], arch: str, wanted: Wanted, path: str, sha256: str) -> CheckpointFile:
    tensors = {name: t for name, t in tensors.items() if not _UNUSED.fullmatch(name)}
    known: list[Fit] = []
    for shape in SHAPES:
        if fit := fit_to(tensors, arch, wanted.args, shape):
            known.append(fit)
            if not fit.problems:
                break
    if not known:
        raise AdvtoolError(f"{path}: does not fit architecture {arch}: the names are those of another network")
    fit = min(known, key=lambda fit: len(fit.problems))
    if fit.problems:
        more = f" and {len(fit.problems) - 1} more" if len(fit.problems) > 1 else ""
        raise AdvtoolError(f"{path}: does not fit architecture {arch}: {fit.problems[0]}{more}")
    _check_copies(tensors, fit, path)
    (mean, std), origin = of_file(tensors, fit.spec.shape[0], wanted.normalize, path)
    spec = replace(fit.spec, mean=mean, std=std)
    meta: dict[str, Any] = {"schema": checkpoints.SCHEMA, **spec.to_json()}
    meta["imported"] = {"sha256": sha256, "prefix": fit.prefix, "normalisation": origin}
    return CheckpointFile(path, sha256, fit.weights, meta)


def _check_copies(tensors: dict[str, Tensor], fit: Fit, path: str) -> None:
    """Refuse a file whose copies of the network, under several prefixes, are not the same."""
    for other in fit.copies:
        for source in fit.sources.values():
            copy = tensors.get(other + source.removeprefix(fit.prefix))
            if copy is not None and not torch.equal(copy, tensors[source]):
                raise AdvtoolError(f"{path}: holds two networks that differ, under '{fit.prefix}' and '{other}'")
