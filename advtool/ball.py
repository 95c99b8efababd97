"""The perturbation balls. This file alone knows what a norm is; attacks are written in terms of it.

Norms are per example over all of C×H×W, radii on the [0, 1] pixel scale. A ball is a value: ``L2(0.5)``,
``Linf(8/255)``. ``L2()`` has no limit, for attacks that look for the smallest perturbation.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import torch
from torch import Tensor

from advtool import keyed, seeds
from advtool.errors import UsageError

_TINY = torch.finfo(torch.float32).tiny


@dataclass(frozen=True)
class Ball(ABC):
    """All perturbations of norm at most `eps`.

    A norm of its own is a subclass with `name`, `norm`, `_project`, `step`, `_random` and `speed`.

    Attributes
    ----------
    eps : radius, ≥ 0; infinite without a limit
    name : of the norm
    starts_at_random : whether PGD starts at a random point by default
    training_step : length of PGD's steps in adversarial training by default, in units of eps
    restart : how far around the input FAB begins anew, at most, where it has found nothing and eps is infinite
    """

    eps: float = math.inf
    name: ClassVar[str]
    starts_at_random: ClassVar[bool] = False
    training_step: ClassVar[float] = 1 / 5
    restart: ClassVar[float] = 1.0

    def __post_init__(self) -> None:
        if not self.eps >= 0:
            raise UsageError("a radius is a number ≥ 0", parameter="eps", value=self.eps)

    @property
    def is_bounded(self) -> bool:
        """Whether the ball has a radius."""
        return self.eps < math.inf

    def with_eps(self, eps: float) -> Self:
        """The ball of the same norm and this radius."""
        return replace(self, eps=eps)

    @abstractmethod
    def norm(self, delta: Tensor) -> Tensor:
        """Norm of each example of a batch N×C×H×W: N."""

    def project(self, delta: Tensor) -> Tensor:
        """The perturbations moved into the ball: for l2 and linf to the nearest point in l2."""
        return self._project(delta) if self.is_bounded else delta

    @abstractmethod
    def step(self, gradient: Tensor) -> Tensor:
        """The direction of norm 1 of steepest ascent; 0 where the gradient is 0, and in entries that are NaN."""

    def random(self, like: Tensor, ids: Tensor, seed: int) -> Tensor:
        """Perturbations uniform in the ball, each determined by its example's id and the seed.

        Raises
        ------
        UsageError
            if the ball has no radius
        """
        if not self.is_bounded:
            raise UsageError("a random start needs a radius", parameter="eps")
        return self._random(like, ids, seed)

    @abstractmethod
    def speed(self, size: Tensor) -> Tensor:
        """How fast each coordinate moves on the shortest way along a gradient whose entries have this size."""

    @abstractmethod
    def _project(self, delta: Tensor) -> Tensor: ...

    @abstractmethod
    def _random(self, like: Tensor, ids: Tensor, seed: int) -> Tensor: ...

    def contain(self, adversarial: Tensor, inputs: Tensor) -> Tensor:
        """Undo what float32 rounding of ``inputs + delta`` adds to the norm, so that it is at most eps·(1 + 1e-6)."""
        margin, start = 1e-7, precise(inputs)
        while (over := self.norm(precise(adversarial) - start) > self.eps * (1 + 1e-6)).any():
            delta = self.with_eps(self.eps * (1 - margin)).project(precise(adversarial) - start)
            shrunk = (start + delta).to(inputs.dtype)
            adversarial = torch.where(per_example(over, inputs), shrunk, adversarial)
            margin = min(4 * margin, 1)
        return adversarial

    def shorten(self, adversarial: Tensor, inputs: Tensor) -> Tensor:
        """Adversarial examples of any size, moved towards the inputs until they are in the ball."""
        if not self.is_bounded:
            return adversarial
        if self.eps == 0:
            return inputs.clone()
        return self.contain((inputs + self.project(adversarial - inputs)).clamp(0, 1), inputs)

    def diameter(self, shape: tuple[int, ...]) -> float:
        """Distance of the farthest images C×H×W in [0, 1] from each other."""
        return float(self.norm(torch.ones(1, *shape, dtype=torch.float64, device="cpu")))


@dataclass(frozen=True)
class L2(Ball):
    """Perturbations whose Euclidean norm is at most `eps`."""

    name = "l2"

    def norm(self, delta: Tensor) -> Tensor:
        return delta.flatten(1).norm(dim=1)

    def step(self, gradient: Tensor) -> Tensor:
        gradient = gradient.nan_to_num(nan=0.0)
        # Scaled by its largest entry first, since the squares of a saturated model's gradient underflow.
        scaled = gradient / per_example(gradient.flatten(1).abs().amax(1), gradient).clamp_min(_TINY)
        return scaled / per_example(self.norm(scaled), scaled).clamp_min(_TINY)

    def speed(self, size: Tensor) -> Tensor:
        return size

    def _project(self, delta: Tensor) -> Tensor:
        return delta * (self.eps / per_example(self.norm(delta), delta).clamp_min(max(self.eps, _TINY)))

    def _random(self, like: Tensor, ids: Tensor, seed: int) -> Tensor:
        direction = self.step(keyed.normal(like.shape, ids, seeds.derive(seed, "direction")))
        radius = keyed.uniform((len(like), 1), ids, seeds.derive(seed, "radius")).pow(1 / like.shape[1:].numel())
        return (self.eps * per_example(radius, like) * direction).to(like.dtype)


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

    def speed(self, size: Tensor) -> Tensor:
        return torch.ones_like(size)

    def _project(self, delta: Tensor) -> Tensor:
        return delta.clamp(-self.eps, self.eps)

    def _random(self, like: Tensor, ids: Tensor, seed: int) -> Tensor:
        return (self.eps * (2 * keyed.uniform(like.shape, ids, seed) - 1)).to(like.dtype)


def per_example(values: Tensor, like: Tensor) -> Tensor:
    """One value for each example, N, shaped so that it broadcasts over a batch like `like`: N×1×1×1."""
    return values.view(-1, *[1] * (like.dim() - 1))


def precise(x: Tensor) -> Tensor:
    """In float64; in float32 on Apple's GPUs, which have no other."""
    return x.to(torch.float32 if x.device.type == "mps" else torch.float64)
