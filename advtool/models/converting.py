"""Weights that other libraries saved: a state dict, its prefixes and its normaliser, to a checkpoint of ours.

Known layouts: MadryLab's ``robustness`` (an ``AttackerModel`` that holds each tensor twice, in ``DataParallel``),
RobustBench, plain torchvision, and the folders of timm and transformers.
"""

import re
import warnings
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from advtool import bounds
from advtool.errors import AdvtoolError, UsageError
from advtool.io import checkpoints
from advtool.io.checkpoints import CheckpointFile
from advtool.io.foreign import WEIGHTS, ForeignFile
from advtool.io.states import States, is_average
from advtool.models import deepmind, transformers_nets
from advtool.models.described import Described
from advtool.models.fitting import Fit, check_numbers, check_types
from advtool.models.guessing import SHAPES, fits, guess
from advtool.models.normalisers import CheckpointWarning, of_file
from advtool.models.registry import find

_UNUSED = re.compile(r"(.*\.)?(n_averaged|aux[12]\..*|AuxLogits\..*|sub_block1\..*)")


@dataclass(frozen=True)
class Wanted:
    """What the file of another library does not say about its model.

    Attributes
    ----------
    arch, args : architecture, and its arguments
    normalize : ``none``, ``imagenet``, or means and deviations as in ``0.5,0.5,0.5/0.25,0.25,0.25``; for files
        that hold no normaliser
    weights : which weights of a file that holds several, such as ``state_dict`` or ``model_ema``
    """

    arch: str | None = None
    args: dict[str, Any] = field(default_factory=dict)
    normalize: str | None = None
    weights: str | None = None


def convert(file: ForeignFile, wanted: Wanted, described: Described | None = None) -> CheckpointFile:
    """Make a checkpoint of ours of foreign weights.

    Parameters
    ----------
    described : by the configuration beside the file

    Raises
    ------
    UsageError
        if the architecture is not known, or the weights asked for are not there
    AdvtoolError
        if the file does not fit the architecture
    """
    path = file.path
    place, tensors = _choose(_by_prefix(file.states, path), wanted.weights, path)
    check_types(tensors, path)
    tensors = {
        name: tensor.float() if tensor.dtype.is_floating_point else tensor
        for name, tensor in tensors.items()
        if not _UNUSED.fullmatch(name)
    }
    described = _belonging(described, wanted.arch, path)
    arch = wanted.arch or (described.arch if described else _guessed(tensors, path))
    try:
        fit = _best_fit(tensors, arch, wanted.args, described, path)
    except UsageError as error:
        if wanted.arch:
            raise
        raise AdvtoolError(f"{path}: {error}") from None  # nobody named an architecture but the file
    check_numbers({fit.sources.get(name, name): tensor for name, tensor in fit.weights.items()}, path)
    _check_copies(tensors, fit, path)
    channels, classes = fit.spec.shape[0], len(fit.spec.classes)
    usual = deepmind.normaliser(classes, channels) if deepmind.is_deepmind(arch) else None
    stated = described.normaliser if described else None
    (mean, std), origin = of_file(tensors, channels, wanted.normalize, path, stated, usual)
    names = _class_names(described, classes, path) or fit.spec.classes
    spec = replace(fit.spec, classes=names, mean=mean, std=std)
    meta: dict[str, Any] = {"schema": checkpoints.SCHEMA, **spec.to_json()}
    meta["imported"] = {"sha256": file.sha256, "prefix": fit.prefix, "normalisation": origin}
    if place:
        meta["imported"]["weights"] = place
    if described:
        meta["imported"] |= {"config": described.library, "named": names is not fit.spec.classes}
        if described.preprocessing:
            meta["preprocessing"] = described.preprocessing | {"size": spec.shape[1]}
    return CheckpointFile(path, file.sha256, fit.weights, meta, own=False)


def _by_prefix(states: States, path: str) -> States:
    """The states, those apart whose names begin with that of a moving average, beside other names."""
    found: States = {}
    for place, state in states.items():
        heads = {name: name.partition(".")[0] for name in state}
        averages: States = {head: {} for head in sorted({*heads.values()}) if is_average(head)}
        rest = {name: tensor for name, tensor in state.items() if heads[name] not in averages}
        for name, tensor in state.items():
            if heads[name] in averages:
                averages[heads[name]][name] = tensor
        if len(averages) > bounds.STATES:
            raise AdvtoolError(f"{path}: holds more than {bounds.STATES} moving averages")
        for head, apart in averages.items() if len(rest) > 1 else ():
            found[f"{place}.{head}" if place else head] = apart
        found[place] = rest if len(rest) > 1 else state
    return found


def _choose(states: States, asked: str | None, path: str) -> tuple[str, dict[str, Tensor]]:
    """(where they lie, the weights): those asked for, else a moving average, else the first; and say so."""
    if asked is not None:
        matches = [place for place in states if asked in (place, place.partition(".")[0])]
        if asked in ("plain", "ema"):
            matches = matches or [place for place in states if is_average(place) == (asked == "ema")]
        if not matches:
            held = ", ".join(filter(None, states)) or "one state dict, without a name"
            raise UsageError(f"{path} holds {held}", parameter="weights", value=asked)
        return matches[0], states[matches[0]]
    place = min(states, key=lambda each: not is_average(each))
    others = [each or "the top of the file" for each in states if each != place]
    kind = ", a moving average" if is_average(place) else ""
    if others and not all(_same(state, states[place]) for state in states.values()):
        message = f"{path}: took the weights '{place}'{kind}, not those of {', '.join(others)} (`--weights` chooses)"
    elif kind:
        message = f"{path}: took the weights '{place}'{kind}"
    else:
        return place, states[place]
    warnings.warn(message, CheckpointWarning, stacklevel=1)
    return place, states[place]


def _same(some: dict[str, Tensor], others: dict[str, Tensor]) -> bool:
    return some.keys() == others.keys() and all(torch.equal(tensor, others[name]) for name, tensor in some.items())


def _belonging(described: Described | None, arch: str | None, path: str) -> Described | None:
    """The configuration, unless it is of another architecture than was named, and beside the file by chance."""
    if described is None or arch is None or path.endswith(WEIGHTS):
        return described
    return described if described.arch.rpartition(":")[2] == arch.rpartition(":")[2] else None


def _guessed(tensors: dict[str, Tensor], path: str) -> str:
    found = guess(tensors)
    if len(found) != 1:
        why = "which does not say its architecture"
        fitting = f"; its names and shapes fit {' and '.join(found)}" if found else "; it fits none that can be guessed"
        raise UsageError(f"needed, since {path} is the file of another library, {why}{fitting}", parameter="arch")
    warnings.warn(f"{path}: taken for a {found[0]}, by its names and shapes", CheckpointWarning, stacklevel=1)
    return found[0]


def _best_fit(
    tensors: dict[str, Tensor], arch: str, args: dict[str, Any], described: Described | None, path: str
) -> Fit:
    find(arch)
    shapes = (described.shapes if described else ()) or SHAPES
    if described and described.arch == arch:
        args = {**described.args, **args}
        if described.library == "transformers":
            name = arch.removeprefix(transformers_nets.PREFIX)
            tensors = transformers_nets.renamed(name, described.num_classes or 2, shapes[0], args["config"], tensors)
    known: list[Fit] = []
    for fit in fits(tensors, arch, args, shapes):
        known.append(fit)
        if not fit.problems:
            return fit
    if not known:
        raise AdvtoolError(f"{path}: does not fit architecture {arch}: the names are those of another network")
    fit = min(known, key=lambda fit: len(fit.problems))
    more = f" and {len(fit.problems) - 1} more" if len(fit.problems) > 1 else ""
    raise AdvtoolError(f"{path}: does not fit architecture {arch}: {fit.problems[0]}{more}")


def _class_names(described: Described | None, classes: int, path: str) -> tuple[str, ...] | None:
    if described is None or described.classes is None or len(described.classes) == classes:
        return described.classes if described else None
    warnings.warn(
        f"{path}: its configuration names {len(described.classes)} classes, it has {classes}: they go without names",
        CheckpointWarning,
        stacklevel=1,
    )
    return None


def _check_copies(tensors: dict[str, Tensor], fit: Fit, path: str) -> None:
    """Refuse a file whose copies of the network, under several prefixes, are not the same."""
    for other in fit.copies:
        for source in fit.sources.values():
            copy = tensors.get(other + source.removeprefix(fit.prefix))
            if copy is not None and not torch.equal(copy, tensors[source]):
                raise AdvtoolError(f"{path}: holds two networks that differ, under '{fit.prefix}' and '{other}'")
