"""How the tensors of a file fit an architecture: under which prefix, under which names, and what does not."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from advtool import bounds
from advtool.errors import AdvtoolError
from advtool.io.shape import Shape
from advtool.models.classifier import ModelSpec
from advtool.models.limits import TooLarge, most_for
from advtool.models.normalisers import pairs
from advtool.models.registry import Unfit, build

Layout = dict[str, torch.Size]
"""Names and shapes of a network's tensors."""

_FLOATS = {torch.float16, torch.bfloat16, torch.float32, torch.float64}
_MOST = 0.9
_ALIASES = (("linear.", "fc."), (".shortcut.", ".downsample."))  # ResNets for CIFAR: theirs, torchvision's


@dataclass(frozen=True)
class Fit:
    """How the tensors of a file fit the architecture for images of one shape.

    Attributes
    ----------
    prefix : what stands before the names of the network
    copies : all prefixes under which the file holds as much of it
    sources : name in the network → name in the file
    weights : name in the network → tensor
    problems : what does not fit, in words
    """

    spec: ModelSpec
    prefix: str
    copies: list[str]
    sources: dict[str, str]
    weights: dict[str, Tensor]
    problems: list[str]


def fit_to(tensors: dict[str, Tensor], arch: str, args: dict[str, Any], shape: Shape) -> Fit | None:
    """Find the network in a file, wherever it lies, and the number of classes that it has.

    None if the architecture takes no images of this shape, or the file is of another network.
    """
    two, three = (layout(_spec(arch, args, shape, classes)) for classes in (2, 3))
    if two is None or three is None:
        return None
    heads = [name for name in two if two[name] != three[name]]
    last = heads[0]
    found = _largest(two, _prefixes(last, tensors), tensors)
    if not found:
        return _headless(tensors, _spec(arch, args, shape, 2), [name for name in two if name not in heads], last)
    copies = list(found)
    prefix = copies[0]
    sources = found[prefix]
    spec = _spec(arch, args, shape, max(*tensors[sources[last]].shape[:1], 1, 1))
    weights = {name: tensors[source] for name, source in sources.items()}
    problems = _complete(weights, layout(spec) or {}, prefix, sources)
    used = {source for each in copies for source in found[each].values()}
    used.update(*pairs(tensors))
    problems += [f"has unknown '{name}'" for name in tensors if name not in used]
    return Fit(spec, prefix, copies, sources, weights, problems)


def head_names(arch: str, args: dict[str, Any], shape: Shape) -> list[str]:
    """The tensors of a network whose shape depends on the number of classes: its last layer, or layers."""
    two, three = (layout(_spec(arch, args, shape, classes)) for classes in (2, 3))
    return [name for name in two or {} if three is None or two is None or two[name] != three[name]]


def check_types(tensors: dict[str, Tensor], path: str) -> None:
    """Refuse weights in numbers that nothing computes with, by name: complex, or of 8 bits and less."""
    for name, tensor in tensors.items():
        if tensor.is_complex() or (tensor.is_floating_point() and tensor.dtype not in _FLOATS):
            kind = str(tensor.dtype).removeprefix("torch.")
            raise AdvtoolError(f"{path}: '{name}' is of type {kind}: weights have to be float32, float16 or the like")


def check_numbers(tensors: dict[str, Tensor], path: str) -> None:
    """Refuse weights that are not finite, by name."""
    for name, tensor in tensors.items():
        if (tensor.is_floating_point() or tensor.is_complex()) and not tensor.isfinite().all():
            raise AdvtoolError(f"{path}: '{name}' is not finite")


class Plan(NamedTuple):
    """A network that is not built: its layout, and how many numbers it would hold in memory."""

    layout: Layout
    size: int


def plan(spec: ModelSpec) -> Plan:
    """What a network would be, without its memory; UsageError as `build`."""
    with torch.device("meta"):
        net = build(spec).net
    sizes = {name: tensor.shape for name, tensor in net.state_dict().items()}
    return Plan(sizes, sum(tensor.numel() for tensor in (*net.parameters(), *net.buffers())))


def check_size(spec: ModelSpec, tensors: dict[str, Tensor]) -> Layout | None:
    """Refuse an architecture that takes much more memory than a file has weights for, before it takes it.

    Returns
    -------
    the layout; None where that is not known before it is built

    Raises
    ------
    UsageError
        as `build`, where the size can be known beforehand
    TooLarge
        with both sizes
    """
    try:
        planned = plan(spec)
    except Unfit as error:
        if "meta" not in str(error):
            raise
        return None  # some of timm's compute with numbers while they are built; `build` counts these
    if planned.size > most_for(tensors):
        there = sum(tensor.numel() for tensor in tensors.values())
        raise TooLarge(f"architecture {spec.arch} holds {planned.size:,} numbers, and there are {there:,} in the file")
    return planned.layout


def layout(spec: ModelSpec) -> Layout | None:
    """Names and shapes of a network's tensors; None if there is none for images of this shape."""
    try:
        return plan(spec).layout
    except Unfit:
        return None


def _headless(tensors: dict[str, Tensor], spec: ModelSpec, names: list[str], last: str) -> Fit | None:
    """A file that holds all of the network but its last layer; None if it holds that of another one."""
    wanted = [name for name in names if not name.endswith("num_batches_tracked")]
    if not wanted:
        return None
    found = _largest(wanted, _prefixes(wanted[0], tensors), tensors)
    prefix = next(iter(found), "")
    if not found or len(found[prefix]) < _MOST * len(wanted):
        return None
    layer = last.rpartition(".")[0] or last
    weights = {name: tensors[source] for name, source in found[prefix].items()}
    return Fit(spec, prefix, [prefix], found[prefix], weights, [f"has no last layer '{layer}': features only"])


def _spec(arch: str, args: dict[str, Any], shape: Shape, classes: int) -> ModelSpec:
    channels = shape[0]
    return ModelSpec(arch, tuple(map(str, range(classes))), shape, (0.0,) * channels, (1.0,) * channels, args)


def _prefixes(name: str, tensors: Iterable[str]) -> list[str]:
    """What stands before the name of a tensor of the network, wherever in the file it occurs; shortest first."""
    found = {
        key.removesuffix(alias)
        for key in tensors
        for alias in _aliases(name)
        if key == alias or key.endswith(f".{alias}")
    }
    return sorted(found, key=lambda prefix: (len(prefix), prefix))


def _largest(names: Iterable[str], prefixes: list[str], tensors: dict[str, Tensor]) -> dict[str, dict[str, str]]:
    """The sources under the prefix that has most of them, and under others that have as many; shortest first."""
    counts = dict.fromkeys(prefixes, 0)
    aliases = {alias for name in names for alias in _aliases(name)}
    for key in tensors:
        for place in (0, *(match.end() for match in re.finditer("[.]", key))):
            if key[:place] in counts and key[place:] in aliases:
                counts[key[:place]] += 1
    most = max(counts.values(), default=0)
    best = [prefix for prefix, count in counts.items() if count == most][: bounds.COPIES]
    return {prefix: _sources(names, prefix, tensors) for prefix in best}


def _sources(names: Iterable[str], prefix: str, tensors: dict[str, Tensor]) -> dict[str, str]:
    """Name in the network → name in the file, of the tensors that it has under a prefix."""
    return {name: prefix + alias for name in names for alias in _aliases(name) if prefix + alias in tensors}


def _aliases(name: str) -> list[str]:
    """What a tensor of the network may be called in the file, after its prefix."""
    theirs = name
    for old, ours in _ALIASES:
        theirs = old + theirs[len(ours) :] if theirs.startswith(ours) else theirs.replace(ours, old)
    if name.startswith("linear."):
        theirs = "fc." + name.removeprefix("linear.")
    return [name] if theirs == name else [name, theirs]


def _complete(weights: dict[str, Tensor], wanted: Layout, prefix: str, sources: dict[str, str]) -> list[str]:
    """Add the counters that no file needs to have, and say what else is missing or has another shape."""
    problems = []
    for name, size in wanted.items():
        if name not in weights and name.endswith("num_batches_tracked"):
            weights[name] = torch.tensor(0)
        elif name not in weights:
            problems.append(f"lacks '{prefix}{name}'")
        elif weights[name].shape != size:
            problems.append(f"'{sources[name]}' is {list(weights[name].shape)}, not {list(size)}")
    return problems
