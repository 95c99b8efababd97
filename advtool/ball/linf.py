"""Perturbations by their largest component."""

from dataclasses import dataclass

from torch import Tensor

from advtool import keyed
from advtool.ball.base import Ball, per_example
from advtool.ball.ways import at_speed


@dataclass(frozen=True)
class Linf(Ball):
    """Perturbations that change no component by more than `eps`."""

    name = "linf"
    starts_at_random = True
    training_step = 1 / 4
    restart = 0.3

    def norm(self, delta: Tensor) -> Tensor:
        return delta.flatten(1).abs().amax(1)

    def step(self, gradient: Tensor) -> Tensor:
        return gradient.nan_to_num(nan=0.0).sign()

    def dual(self, gradient: Tensor) -> Tensor:
        return gradient.flatten(1).abs().sum(1)

    def shortest(self, size: Tensor, room: Tensor, wanted: Tensor) -> Tensor:
        return at_speed(size, room, wanted, (size > 0).to(size.dtype))

    def _project(self, delta: Tensor) -> Tensor:
        return delta.clamp(-self.eps, self.eps)

    def _within(self, delta: Tensor, radius: Tensor) -> Tensor:
        most = per_example(radius, delta)
        return delta.clamp(-most, most)

    def _random(self, like: Tensor, ids: Tensor, seed: int) -> Tensor:
        return (self.eps * (2 * keyed.uniform(like.shape, ids, seed) - 1)).to(like.dtype)
