"""Perturbations by their Euclidean norm."""

from dataclasses import dataclass

from torch import Tensor

from advtool import keyed, seeds
from advtool.ball.base import TINY, Ball, per_example
from advtool.ball.ways import at_speed


@dataclass(frozen=True)
class L2(Ball):
    """Perturbations whose Euclidean norm is at most `eps`."""

    name = "l2"

    def norm(self, delta: Tensor) -> Tensor:
        return delta.flatten(1).norm(dim=1)

    def step(self, gradient: Tensor) -> Tensor:
        gradient = gradient.nan_to_num(nan=0.0)
        # Scaled by its largest entry first, since the squares of a saturated model's gradient underflow.
        scaled = gradient / per_example(gradient.flatten(1).abs().amax(1), gradient).clamp_min(TINY)
        return scaled / per_example(self.norm(scaled), scaled).clamp_min(TINY)

    def dual(self, gradient: Tensor) -> Tensor:
        return self.norm(gradient)

    def shortest(self, size: Tensor, room: Tensor, wanted: Tensor) -> Tensor:
        return at_speed(size, room, wanted, size)

    def _project(self, delta: Tensor) -> Tensor:
        return delta * (self.eps / per_example(self.norm(delta), delta).clamp_min(max(self.eps, TINY)))

    def _within(self, delta: Tensor, radius: Tensor) -> Tensor:
        return delta * per_example((radius / self.norm(delta).clamp_min(TINY)).clamp_max(1), delta)

    def _random(self, like: Tensor, ids: Tensor, seed: int) -> Tensor:
        direction = self.step(keyed.normal(like.shape, ids, seeds.derive(seed, "direction")))
        radius = keyed.uniform((len(like), 1), ids, seeds.derive(seed, "radius")).pow(1 / like.shape[1:].numel())
        return (self.eps * per_example(radius, like) * direction).to(like.dtype)
