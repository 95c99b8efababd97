"""Perturbations by the sum of their components (Croce and Hein 2021, https://arxiv.org/abs/2103.01208)."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from advtool import keyed, seeds
from advtool.ball.base import TINY, Ball
from advtool.ball.ways import in_order

STEP_SHARE = 0.01
"""Share of the components that a step of PGD moves."""


@dataclass(frozen=True)
class L1(Ball):
    """Perturbations whose components' absolute values add up to at most `eps`.

    Only what is in the ball and in the box at once is large in high dimensions: points are moved into both together.
    """

    name = "l1"
    restart = 12.0
    sparse = True
    phases = ((0.3, 3.0), (0.3, 2.0), (0.4, 1.0))

    def norm(self, delta: Tensor) -> Tensor:
        return delta.flatten(1).abs().sum(1)

    def step(self, gradient: Tensor) -> Tensor:
        """All of it in the component of the largest gradient."""
        flat = gradient.nan_to_num(nan=0.0).flatten(1)
        first = flat.abs().argmax(1, keepdim=True)
        return torch.zeros_like(flat).scatter(1, first, flat.gather(1, first).sign()).view_as(gradient)

    def ascent(self, gradient: Tensor, x: Tensor) -> Tensor:
        """The same in each of the 1% of largest gradient among the components that can move (Maini et al. 2020)."""
        gradient = gradient.nan_to_num(nan=0.0)
        free = torch.where(gradient > 0, x < 1, x > 0)
        moved = torch.where(free, gradient, 0).flatten(1)
        size, chosen = moved.abs().topk(max(1, round(STEP_SHARE * moved.shape[1])), dim=1)
        sign = moved.gather(1, chosen).sign()
        count = (size > 0).sum(1, keepdim=True).clamp_min(1)
        return torch.zeros_like(moved).scatter(1, chosen, sign / count).view_as(x)

    def far(self, inputs: Tensor, ids: Tensor, seed: int) -> Tensor:
        noise = keyed.normal(inputs.shape, ids, seeds.derive(seed, "direction")).to(inputs.dtype)
        return self.inside(inputs + noise, inputs)

    def inside(self, x: Tensor, inputs: Tensor, radius: Tensor | None = None) -> Tensor:
        """The nearest points, in l2, of ball and box together (proposition 2.1, by sorting as in its proof)."""
        if radius is None and not self.is_bounded:
            return x.clamp(0, 1)
        most = self.eps if radius is None else radius[:, None]
        delta = (x - inputs).flatten(1)
        start = inputs.flatten(1)
        room = torch.where(delta > 0, 1 - start, start)
        return (start + delta.sign() * shrunk(delta.abs(), room, most)).clamp(0, 1).view_as(x)

    def dual(self, gradient: Tensor) -> Tensor:
        return gradient.flatten(1).abs().amax(1)

    def shortest(self, size: Tensor, room: Tensor, wanted: Tensor) -> Tensor:
        return in_order(size, room, wanted, size.argsort(stable=True, dim=1, descending=True))

    def _project(self, delta: Tensor) -> Tensor:
        flat = delta.flatten(1)
        return (flat.sign() * shrunk(flat.abs(), torch.full_like(flat, math.inf), self.eps)).view_as(delta)

    def _within(self, delta: Tensor, radius: Tensor) -> Tensor:
        flat = delta.flatten(1)
        return (flat.sign() * shrunk(flat.abs(), torch.full_like(flat, math.inf), radius[:, None])).view_as(delta)

    def _random(self, like: Tensor, ids: Tensor, seed: int) -> Tensor:
        """The D first of D + 1 intervals between uniform points, with random signs."""
        shape = (len(like), like.shape[1:].numel())
        lengths = -torch.log1p(-keyed.uniform((shape[0], shape[1] + 1), ids, seeds.derive(seed, "intervals")))
        sign = torch.where(keyed.uniform(shape, ids, seeds.derive(seed, "sign")) < 0.5, -1, 1)
        share = lengths[:, :-1] / lengths.sum(1, keepdim=True).clamp_min(TINY)
        return (self.eps * sign * share).view_as(like).to(like.dtype)


def shrunk(size: Tensor, room: Tensor, total: Tensor | float) -> Tensor:
    """``min(max(size − λ, 0), room)`` for the least λ ≥ 0 at which a row adds up to at most `total`; they are N×D, ≥ 0,
    and `total` is one for all or N×1.

    As λ falls from above, a component begins to grow at its size and is full at its size less its room: the sum is
    piecewise linear between these 2·D knots, which are sorted.
    """
    within = torch.minimum(size, room).sum(1, keepdim=True) <= total
    knots, order = torch.cat((size, (size - room).clamp_min(0)), 1).sort(1, descending=True)
    growing = torch.where(order < size.shape[1], 1, -1).cumsum(1)
    gained = torch.nn.functional.pad((growing[:, :-1] * (knots[:, :-1] - knots[:, 1:])).cumsum(1), (1, 0))
    index = (gained <= total).sum(1, keepdim=True) - 1
    slope = growing.gather(1, index).clamp_min(1)
    level = (knots.gather(1, index) - (total - gained.gather(1, index)) / slope).clamp_min(0)
    # Once more from the components themselves: long sums of differences are rounded.
    moving = (size > level) & (size - level < room)
    full = torch.where((size > level) & ~moving, room, 0).sum(1, keepdim=True)
    count = moving.sum(1, keepdim=True)
    exact = (torch.where(moving, size, 0).sum(1, keepdim=True) + full - total) / count.clamp_min(1)
    level = torch.where(count > 0, exact.clamp_min(0), level).masked_fill(within, 0)
    return (size - level).clamp_min(0).minimum(room)
