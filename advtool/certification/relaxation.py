"""Bounds of the logits over a box of images, that hold whatever the image in it: linear relaxations of small networks.

CROWN (Zhang et al. 2018, https://arxiv.org/abs/1811.00866) with the slopes of theorem 3.2: each ReLU is between two
lines, and lines are followed back to the box, where their least value is known. The bounds of a layer are the better of
these and of intervals (Gowal et al. 2018, https://arxiv.org/abs/1810.12715). All in float64.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.grad import conv2d_input

from advtool.errors import AdvtoolError

ROWS = 256
"""Lines that are followed back at a time."""


@dataclass(frozen=True)
class Box:
    """All images between two: C×H×W or D each."""

    low: Tensor
    high: Tensor

    def least(self, lines: Tensor) -> Tensor:
        """The least value of linear functions, R×…, on the box: R."""
        middle, half = (self.low + self.high) / 2, (self.high - self.low) / 2
        return (lines * middle).flatten(1).sum(1) - (lines.abs() * half).flatten(1).sum(1)


@dataclass(frozen=True)
class Affine:
    """A layer that is linear plus a constant, in float64, for inputs of one shape."""

    layer: nn.Linear | nn.Conv2d
    weight: Tensor
    bias: Tensor
    shape: torch.Size

    def __call__(self, x: Tensor, weight: Tensor | None = None, constant: bool = True) -> Tensor:
        """The outputs N×… of inputs N×…, by other weights or without the constant where that is wanted."""
        weight, bias = self.weight if weight is None else weight, self.bias if constant else None
        if isinstance(self.layer, nn.Conv2d):
            own = self.layer
            return nn.functional.conv2d(x, weight, bias, own.stride, own.padding, own.dilation, own.groups)
        return nn.functional.linear(x, weight, bias)

    def interval(self, box: Box) -> Box:
        """Where its outputs are."""
        middle = self((box.low + box.high)[None] / 2)[0]
        half = self((box.high - box.low)[None] / 2, self.weight.abs(), constant=False)[0]
        return Box(middle - half, middle + half)

    def back(self, lines: Tensor) -> tuple[Tensor, Tensor]:
        """Linear functions of its outputs, R×…, as functions of its inputs, and their constants, R."""
        if isinstance(self.layer, nn.Linear):
            return lines @ self.weight, lines @ self.bias
        own = self.layer
        before = conv2d_input(
            (len(lines), *self.shape), self.weight, lines, own.stride, own.padding, own.dilation, own.groups
        )
        return before, lines.sum((2, 3)) @ self.bias


Layer = Affine | nn.ReLU | nn.Flatten


def layers_of(net: nn.Module, shape: Sequence[int]) -> list[Layer]:
    """The layers of a network of affine maps and ReLUs, one after another.

    Raises
    ------
    AdvtoolError
        if it has other ones, or another way through them
    """
    if not isinstance(net, nn.Sequential):
        raise AdvtoolError("bounds are for networks of one layer after another: linear, mlp, cnn-small")
    x, found = torch.zeros(1, *shape, dtype=torch.float64), list[Layer]()
    for layer in net:
        if isinstance(layer, nn.Linear) or (isinstance(layer, nn.Conv2d) and layer.padding_mode == "zeros"):
            weight = layer.weight.detach().cpu().double()
            bias = torch.zeros(len(weight)).double() if layer.bias is None else layer.bias.detach().cpu().double()
            affine = Affine(layer, weight, bias, x.shape[1:])
            found.append(affine)
            x = affine(x)
        elif isinstance(layer, nn.Flatten | nn.ReLU):
            found.append(layer)
            x = layer(x)
        elif not isinstance(layer, nn.Identity | nn.Dropout):
            raise AdvtoolError(
                f"bounds are for affine maps and ReLUs: linear, mlp, cnn-small; not {type(layer).__name__}"
            )
    return found


@torch.no_grad()
def largest_logit(layers: Sequence[Layer], x: Tensor) -> float:
    """The largest of the logits of one input, C×H×W or D, in size."""
    x = x[None]
    for layer in layers:
        x = layer(x)
    return float(x.abs().max())


@torch.no_grad()
def least_margins(layers: Sequence[Layer], box: Box, label: int) -> Tensor:
    """Lower bounds of logit `label` minus each other one on a box: K − 1.

    Parameters
    ----------
    layers : of `layers_of`
    box : of inputs of the first, float64
    """
    known: list[Box] = [box]
    for number, layer in enumerate(layers[:-1]):
        now = known[-1]
        if isinstance(layer, Affine):
            here = layer.interval(now)
            if any(isinstance(before, nn.ReLU) for before in layers[:number]):
                here = _closer(layers[: number + 1], known, here)
        elif isinstance(layer, nn.ReLU):
            here = Box(now.low.clamp_min(0), now.high.clamp_min(0))
        else:
            here = Box(now.low.flatten(), now.high.flatten())
        known.append(here)
    last = layers[-1]
    assert isinstance(last, Affine)
    classes = len(last.bias)
    lines = torch.eye(classes, dtype=torch.float64)[label] - torch.eye(classes, dtype=torch.float64)
    others = torch.arange(classes) != label
    exact_last, constants = last.back(lines[others])
    intervals = known[-1].least(exact_last) + constants
    return torch.maximum(intervals, _least(layers, known, lines[others]))


def _closer(layers: Sequence[Layer], known: Sequence[Box], here: Box) -> Box:
    """Bounds of the outputs of the last of these layers where those of intervals, `here`, leave a sign open."""
    low, high = here.low.flatten().clone(), here.high.flatten().clone()
    open_ = ((low < 0) & (high > 0)).nonzero()[:, 0]
    for part in open_.split(ROWS):
        lines = torch.zeros(len(part), len(low), dtype=torch.float64)
        lines[torch.arange(len(part)), part] = 1
        lines = lines.view(-1, *here.low.shape)
        low[part] = torch.maximum(low[part], _least(layers, known, lines))
        high[part] = torch.minimum(high[part], -_least(layers, known, -lines))
    return Box(low.view_as(here.low), high.view_as(here.high))


def _least(layers: Sequence[Layer], known: Sequence[Box], lines: Tensor) -> Tensor:
    """Lower bounds of linear functions, R×…, of what comes out of these layers: R.

    Parameters
    ----------
    known : bounds of the input of each layer
    """
    constant = torch.zeros(len(lines), dtype=torch.float64)
    for layer, before in zip(reversed(layers), reversed(known[: len(layers)]), strict=True):
        if isinstance(layer, Affine):
            lines, more = layer.back(lines)
            constant = constant + more
        elif isinstance(layer, nn.ReLU):
            low, high = before.low, before.high
            above = high.clamp_min(0) / (high.clamp_min(0) - low.clamp_max(0)).clamp_min(1e-300)
            below = torch.where(low >= 0, 1.0, torch.where(high <= 0, 0.0, (high > -low).double()))
            negative = lines.clamp_max(0)
            constant = constant - (negative * above * low.clamp_max(0)).flatten(1).sum(1)
            lines = lines.clamp_min(0) * below + negative * above
        else:
            lines = lines.view(-1, *before.low.shape)
    return constant + known[0].least(lines)
