"""Weights that other libraries saved: a state dict, its prefixes and its normaliser, to a checkpoint of ours.

Known layouts: MadryLab's ``robustness`` (an ``AttackerModel`` that holds each tensor twice, in ``DataParallel``),
RobustBench, and plain torchvision and timm.
"""

import re
import warnings
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from advtool.errors import AdvtoolError, UsageError
from advtool.io import checkpoints, torch_files
from advtool.io.checkpoints import CheckpointFile
from advtool.io.shape import Shape
from advtool.io.streams import TORCH, Stream
from advtool.models.classifier import Classifier, ModelSpec
from advtool.models.registry import build

SHAPES = ((3, 32, 32), (1, 28, 28), (3, 224, 224), (1, 8, 8))
_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_NORMALISER = re.compile(r"(?P<prefix>(?:.*\.)?)(?P<mean>new_mean|mean|mu)")
_PARTNER = {"new_mean": "new_std", "mean": "std", "mu": "sigma"}
_ALIASES = (("linear.", "fc."), (".shortcut.", ".downsample."))  # ResNets for CIFAR: theirs, torchvision's
_UNUSED = re.compile(r"(.*\.)?(n_averaged|aux[12]\..*|AuxLogits\..*|sub_block1\..*)")


class CheckpointWarning(UserWarning):
    """Something that a checkpoint does not say was assumed."""


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
    args: dict = field(default_factory=dict)
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
    return _convert(tensors, wanted, stream.name, sha256)


def normaliser(text: str, channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Means and deviations that a value of `Wanted.normalize` names.

    Raises
    ------
    UsageError
        if it is none of the names, and not as many numbers as there are channels
    """
    if text == "none":
        return (0.0,) * channels, (1.0,) * channels
    if text == "imagenet" and channels == 3:
        return _IMAGENET
    try:
        mean, std = (tuple(float(number) for number in part.split(",")) for part in text.split("/"))
        if len(mean) == len(std) == channels and all(0 < s < 1e6 for s in std) and all(abs(m) < 1e6 for m in mean):
            return mean, std
    except ValueError:
        pass
    example = ",".join(["0.5"] * channels) + "/" + ",".join(["0.25"] * channels)
    message = f"must be none, imagenet (colour), or means/deviations such as {example}"
    raise UsageError(message, parameter="normalize", value=text)


def refit(model: Classifier, shape: Shape) -> bool:
    """Make an imported model one for images of another size, where its weights fit that too; whether they do."""
    other = replace(model.spec, shape=tuple(shape))
    if shape[0] != model.spec.shape[0] or _layout(other) != _layout(model.spec):
        return False
    state = model.net.state_dict()
    net = build(other).net
    net.load_state_dict(state)
    model.net, model.spec = net.to(model.mean.device).train(model.training), other
    return True


def _convert(tensors: dict[str, Tensor], wanted: Wanted, path: str, sha256: str) -> CheckpointFile:
    tensors = {name: t for name, t in tensors.items() if not _UNUSED.fullmatch(name)}
    known: list[_Fit] = []
    for shape in SHAPES:
        if fit := _Fit.of(tensors, wanted, shape):
            known.append(fit)
            if not fit.problems:
                break
    if not known:
        raise AdvtoolError(f"{path}: does not fit architecture {wanted.arch}: the names are those of another network")
    fit = min(known, key=lambda fit: len(fit.problems))
    if fit.problems:
        more = f" and {len(fit.problems) - 1} more" if len(fit.problems) > 1 else ""
        raise AdvtoolError(f"{path}: does not fit architecture {wanted.arch}: {fit.problems[0]}{more}")
    _check_copies(tensors, fit, path)
    mean, std, origin = _normalisation(tensors, fit, wanted, path)
    spec = replace(fit.spec, mean=mean, std=std)
    meta = {"schema": checkpoints.SCHEMA, **spec.to_json()}
    meta["imported"] = {"sha256": sha256, "prefix": fit.prefix, "normalisation": origin}
    return CheckpointFile(path, sha256, fit.weights, meta)


@dataclass(frozen=True)
class _Fit:
    """How the tensors of a file fit the architecture for images of one shape.

    Attributes
    ----------
    prefix : what stands before the names of the network
    sources : name in the network → name in the file
    problems : what does not fit, in words
    """

    spec: ModelSpec
    prefix: str
    prefixes: list[str]
    sources: dict[str, str]
    weights: dict[str, Tensor]
    problems: list[str]

    @classmethod
    def of(cls, tensors: dict[str, Tensor], wanted: Wanted, shape: Shape) -> "_Fit | None":
        few, more = (_layout(_spec(wanted, shape, classes)) for classes in (2, 3))
        if few is None:
            return None
        head = [name for name in few if few[name] != more[name]]
        names = {name: _aliases(name) for name in few}
        prefixes = {
            key[: -len(alias)]
            for key in tensors
            for alias in names[head[0]]
            if key.endswith(alias) and (key == alias or key[: -len(alias)].endswith("."))
        }
        found = {
            prefix: {
                name: prefix + alias
                for name, aliases in names.items()
                for alias in aliases
                if prefix + alias in tensors
            }
            for prefix in sorted(prefixes, key=len)
        }
        if not found:
            return None
        prefix = max(found, key=lambda each: len(found[each]))
        complete = [each for each in found if len(found[each]) == len(found[prefix])]
        sources = found[prefix]
        classes = len(tensors[sources[head[0]]])
        spec = _spec(wanted, shape, max(classes, 1))
        layout = _layout(spec)
        weights = {name: tensors[source] for name, source in sources.items()}
        problems = []
        for name, size in layout.items():
            if name not in weights and name.endswith("num_batches_tracked"):
                weights[name] = torch.tensor(0)
            elif name not in weights:
                problems.append(f"lacks '{prefix}{name}'")
            elif weights[name].shape != size:
                problems.append(f"'{sources[name]}' is {list(weights[name].shape)}, not {list(size)}")
        used = {source for each in complete for source in found[each].values()}
        spare = (name for name in tensors if name not in used and not _is_normaliser(name, tensors))
        problems += [f"has unknown '{name}'" for name in spare]
        return cls(spec, prefix, complete, sources, weights, problems)


def _spec(wanted: Wanted, shape: Shape, classes: int) -> ModelSpec:
    channels = shape[0]
    names = tuple(map(str, range(classes)))
    return ModelSpec(wanted.arch, names, shape, (0.0,) * channels, (1.0,) * channels, wanted.args)


def _layout(spec: ModelSpec) -> dict[str, torch.Size] | None:
    """Names and shapes of a network's tensors; None if there is none for images of this shape."""
    try:
        with torch.device("meta"):
            return {name: tensor.shape for name, tensor in build(spec).net.state_dict().items()}
    except (RuntimeError, ValueError, AssertionError):
        return None


def _aliases(name: str) -> list[str]:
    """What a tensor of the network may be called in the file, after its prefix."""
    theirs = name
    for old, ours in _ALIASES:
        theirs = old + theirs[len(ours) :] if theirs.startswith(ours) else theirs.replace(ours, old)
    return [name] if theirs == name else [name, theirs]


def _check_copies(tensors: dict[str, Tensor], fit: _Fit, path: str) -> None:
    """Refuse a file whose copies of the network, under several prefixes, are not the same."""
    for other in fit.prefixes:
        for source in fit.sources.values():
            copy = tensors.get(other + source.removeprefix(fit.prefix))
            if copy is not None and not torch.equal(copy, tensors[source]):
                raise AdvtoolError(f"{path}: holds two networks that differ, under '{fit.prefix}' and '{other}'")


def _is_normaliser(name: str, tensors: dict[str, Tensor]) -> bool:
    return any(name in pair for pair in _normalisers(tensors))


def _normalisers(tensors: dict[str, Tensor]) -> list[tuple[str, str]]:
    """Pairs of names of means and deviations."""
    matches = [match for name in tensors if (match := _NORMALISER.fullmatch(name))]
    pairs = [(match[0], match["prefix"] + _PARTNER[match["mean"]]) for match in matches]
    return [(mean, std) for mean, std in pairs if std in tensors]


def _normalisation(tensors: dict[str, Tensor], fit: _Fit, wanted: Wanted, path: str):
    """(means, deviations, where they are from)."""
    channels = fit.spec.shape[0]
    found = []
    for names in _normalisers(tensors):
        mean, std = (tuple(tensors[name].double().flatten().tolist()) for name in names)
        mean, std = (values * channels if len(values) == 1 else values for values in (mean, std))
        if not len(mean) == len(std) == channels or not all(0 < s < float("inf") for s in std):
            raise AdvtoolError(
                f"{path}: '{names[0]}' and '{names[1]}' are no means and deviations of {channels} channels"
            )
        if any(m != m or abs(m) == float("inf") for m in mean):
            raise AdvtoolError(f"{path}: '{names[0]}' is not finite")
        found.append((mean, std))
    if len(set(found)) > 1:
        raise AdvtoolError(f"{path}: holds normalisers that differ: {found[0]} and {found[1]}")
    if wanted.normalize is not None:
        asked = normaliser(wanted.normalize, channels)
        if found and not torch.allclose(torch.tensor(found[0]), torch.tensor(asked)):
            message = f"{path} has a normaliser of its own, {found[0]}"
            raise UsageError(message, parameter="normalize", value=wanted.normalize)
        return *(found[0] if found else asked), "file" if found else "option"
    if found:
        return *found[0], "file"
    warnings.warn(
        f"{path} holds no normaliser: taken to see pixels in [0, 1] as they are (or say how to normalize)",
        CheckpointWarning,
        stacklevel=1,
    )
    return *normaliser("none", channels), "none"
