"""The norms that there are, by name. Nothing is imported before it is used, so that help is fast."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from advtool.errors import UsageError, unknown

if TYPE_CHECKING:
    from advtool.ball import Ball


def load(path: str) -> Any:
    """What a path ``package.module:name`` stands for."""
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)


@dataclass(frozen=True)
class Norm:
    """A norm that balls are in.

    Attributes
    ----------
    ball : where its class is, a `Ball`
    largest : radius beyond which a user must have meant another scale
    example : of a radius, for help and errors
    counts : its radii are numbers of components, not lengths
    """

    name: str
    ball: str
    largest: float = math.inf
    example: str = "0.5"
    counts: bool = False


NORMS = {
    norm.name: norm
    for norm in (
        Norm("l2", "advtool.ball:L2"),
        Norm("linf", "advtool.ball:Linf", largest=1, example="8/255"),
        Norm("l1", "advtool.ball:L1", example="12"),
        Norm("l0", "advtool.ball:L0", example="10", counts=True),
    )
}


def with_directions() -> tuple[str, ...]:
    """The norms in which a gradient can be followed: the others are for attacks that name them."""
    return tuple(name for name, norm in NORMS.items() if not norm.counts)


def ball(name: str, eps: float = math.inf) -> Ball:
    """The ball of that norm and radius.

    Raises
    ------
    UsageError
        if there is no such norm, or the radius is none
    """
    if name not in NORMS:
        raise unknown("norm", name, NORMS, parameter="adv")
    found: Ball = load(NORMS[name].ball)(eps)
    return found


def check_several(names: Sequence[str], radii: Sequence[float]) -> None:
    """Refuse several norms of one adversary where one is there twice, or they have not a radius each."""
    example = ",".join(NORMS[name].example for name in names)
    if len(names) != len({*names}):
        raise UsageError("a norm is there twice", parameter="adv", value=",".join(names))
    if len(names) > 1 and len(radii) != len(names):
        message = f"{len(names)} norms need as many radii, one each, such as {example}"
        raise UsageError(message, parameter="eps", value=",".join(f"{radius:g}" for radius in radii))


def check_radius(name: str, eps: float, shape: tuple[int, int, int] | None = None) -> None:
    """Refuse a radius that is on another scale than [0, 1], or is no number of components where it counts them.

    Parameters
    ----------
    shape : (C, H, W) of the images, once that is known: no two of them are farther apart than their diameter
    """
    largest, where = NORMS[name].largest, ""
    if shape is not None and eps < math.inf == largest:
        largest = ball(name).diameter(shape)
        where = f", where images of {'×'.join(map(str, shape))} are at most {largest:.4g} apart"
    fits = eps <= largest * (1 + 1e-6)
    if NORMS[name].counts and not (fits and (eps == math.inf or eps == int(eps))):
        raise UsageError(f"{name} eps is a number of components, each channel by itself{where}", "eps", f"{eps:g}")
    if fits:
        return
    message = f"{name} eps is on the [0,1] pixel scale{where}; did you mean {eps:g}/255?"
    raise UsageError(message, parameter="eps", value=f"{eps:g}")
