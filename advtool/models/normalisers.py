"""Means and deviations by which a model normalises its pixels: those that a file holds, or as asked."""

import math
import re
import warnings
from collections.abc import Iterable

import torch
from torch import Tensor

from advtool.errors import AdvtoolError, UsageError
from advtool.values import number

Normaliser = tuple[tuple[float, ...], tuple[float, ...]]
"""A mean and a deviation for each channel, on the [0, 1] pixel scale."""

_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_MEAN = re.compile(r"(?P<prefix>(?:.*\.)?)(?P<mean>new_mean|mean|mu)")
_PARTNER = {"new_mean": "new_std", "mean": "std", "mu": "sigma"}


class CheckpointWarning(UserWarning):
    """Something that a checkpoint does not say was assumed."""


def normaliser(text: str, channels: int) -> Normaliser:
    """Means and deviations by name, or as numbers.

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
        mean, std = (tuple(map(number, part.split(","))) for part in text.split("/"))
        if len(mean) == len(std) == channels and all(0 < s < 1e6 for s in std) and all(abs(m) < 1e6 for m in mean):
            return mean, std
    except (UsageError, ValueError):
        pass
    example = ",".join(["0.5"] * channels) + "/" + ",".join(["0.25"] * channels)
    message = f"must be none, imagenet (colour), or means/deviations such as {example}"
    raise UsageError(message, parameter="normalize", value=text)


def pairs(names: Iterable[str]) -> list[tuple[str, str]]:
    """The names of means and of the deviations that belong to them."""
    known = set(names)
    matches = [match for name in names if (match := _MEAN.fullmatch(name))]
    found = [(match[0], match["prefix"] + _PARTNER[match["mean"]]) for match in matches]
    return [(mean, std) for mean, std in found if std in known]


def of_file(
    tensors: dict[str, Tensor],
    channels: int,
    asked: str | None,
    path: str,
    stated: Normaliser | None = None,
    usual: Normaliser | None = None,
) -> tuple[Normaliser, str]:
    """(means and deviations, where they are from: ``file``, ``config``, ``option``, ``architecture`` or ``none``).

    Parameters
    ----------
    asked : by name or numbers, see `normaliser`; for files that hold none
    stated : those that the configuration beside the file states
    usual : those that this architecture was published with

    Raises
    ------
    AdvtoolError
        if those in the file are no normaliser, or differ from one another
    UsageError
        if they differ from what was asked
    """
    found = [_read(tensors, names, channels, path) for names in pairs(tensors)]
    if len(set(found)) > 1:
        raise AdvtoolError(f"{path}: holds normalisers that differ: {found[0]} and {found[1]}")
    known = [(each, "file") for each in found]
    if stated is not None and not found and (asked is None or len(stated[0]) in (1, channels)):
        known = [(_spread(stated, channels, path), "config")]
    if asked is not None:
        wanted = normaliser(asked, channels)
        if known and not torch.allclose(torch.tensor(known[0][0]), torch.tensor(wanted)):
            message = f"{path} has a normaliser of its own, {known[0][0]}"
            raise UsageError(message, parameter="normalize", value=asked)
        return known[0] if known else (wanted, "option")
    if known:
        return known[0]
    taken = "to see pixels in [0, 1] as they are" if usual is None else f"to have that of its authors, {usual}"
    warnings.warn(
        f"{path} holds no normaliser: taken {taken} (or say how to normalize)",
        CheckpointWarning,
        stacklevel=1,
    )
    return (normaliser("none", channels), "none") if usual is None else (usual, "architecture")


def _spread(stated: Normaliser, channels: int, path: str) -> Normaliser:
    """One value for all channels, or one for each."""
    mean, std = (values * channels if len(values) == 1 else values for values in stated)
    if not len(mean) == len(std) == channels:
        raise AdvtoolError(
            f"{path}: its configuration normalises {len(mean)} channels, the network takes {channels};"
            " say how to normalize"
        )
    return mean, std


def _read(tensors: dict[str, Tensor], names: tuple[str, str], channels: int, path: str) -> Normaliser:
    mean, std = (tuple(tensors[name].double().flatten().tolist()) for name in names)
    mean, std = (values * channels if len(values) == 1 else values for values in (mean, std))
    if not len(mean) == len(std) == channels or not all(0 < s < math.inf for s in std):
        raise AdvtoolError(f"{path}: '{names[0]}' and '{names[1]}' are no means and deviations of {channels} channels")
    if not all(map(math.isfinite, mean)):
        raise AdvtoolError(f"{path}: '{names[0]}' is not finite")
    return mean, std
