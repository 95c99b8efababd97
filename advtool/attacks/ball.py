"""The perturbation balls. This file alone knows what a norm is; attacks are written in terms of it.

Norms are per example over all of C×H×W, radii on the [0, 1] pixel scale.
"""

from typing import Protocol

import torch
from torch import Tensor

from advtool import keyed


class Ball(Protocol):
    name: str

    def norm(self, delta: Tensor) -> Tensor:
        """Norm of each example of a batch N×C×H×W: N."""

    def project(self, delta: Tensor, eps: float) -> Tensor:
        """The nearest perturbation (in l2) of norm at most eps."""

    def step(self, gradient: Tensor) -> Tensor:
        """The direction of norm 1 of steepest ascent; 0 where the gradient is 0, and in entries that are NaN."""

    def random(self, like: Tensor, eps: float, ids: Tensor, seed: int) -> Tensor:
        """Perturbations uniform in the ball, each determined by its example's id and the seed."""


class L2:
    name = "l2"

    def norm(self, delta: Tensor) -> Tensor:
        return delta.flatten(1).norm(dim=1)

    def project(self, delta: Tensor, eps: float) -> Tensor:
        return delta * (eps / _per_example(self.norm(delta), delta).clamp_min(eps))

    def step(self, gradient: Tensor) -> Tensor:
        gradient = gradient.nan_to_num(nan=0.0)
        # Scaled by its largest entry first, since the squares of a saturated model's gradient underflow.
        scaled = gradient / _per_example(gradient.flatten(1).abs().amax(1), gradient).clamp_min(_TINY)
        return scaled / _per_example(self.norm(scaled), scaled).clamp_min(_TINY)

    def random(self, like: Tensor, eps: float, ids: Tensor, seed: int) -> Tensor:
        direction = self.step(keyed.normal(like.shape, ids, keyed.derive(seed, "direction")))
        radius = keyed.uniform((len(like), 1), ids, keyed.derive(seed, "radius")).pow(1 / like.shape[1:].numel())
        return (eps * _per_example(radius, like) * direction).to(like.dtype)


class Linf:
    name = "linf"

    def norm(self, delta: Tensor) -> Tensor:
        return delta.flatten(1).abs().amax(1)

    def project(self, delta: Tensor, eps: float) -> Tensor:
        return delta.clamp(-eps, eps)

    def step(self, gradient: Tensor) -> Tensor:
        return gradient.nan_to_num(nan=0.0).sign()

    def random(self, like: Tensor, eps: float, ids: Tensor, seed: int) -> Tensor:
        return (eps * (2 * keyed.uniform(like.shape, ids, seed) - 1)).to(like.dtype)


def contain(ball: Ball, adversarial: Tensor, inputs: Tensor, eps: float) -> Tensor:
    """Undo what float32 rounding of ``inputs + delta`` adds to the norm, so that it is at most eps·(1 + 1e-6)."""
    precise = torch.float32 if inputs.device.type == "mps" else torch.float64
    margin = 1e-7
    while (over := ball.norm(adversarial.to(precise) - inputs.to(precise)) > eps * (1 + 1e-6)).any():
        delta = ball.project(adversarial.to(precise) - inputs.to(precise), eps * (1 - margin))
        shrunk = (inputs.to(precise) + delta).to(inputs.dtype)
        adversarial = torch.where(_per_example(over, inputs), shrunk, adversarial)
        margin = min(4 * margin, 1)
    return adversarial


BALLS: dict[str, Ball] = {ball.name: ball for ball in (L2(), Linf())}
_TINY = torch.finfo(torch.float32).tiny


def _per_example(values: Tensor, like: Tensor) -> Tensor:
    return values.view(-1, *[1] * (like.dim() - 1))
