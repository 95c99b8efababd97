"""What every ball of perturbations can do."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import torch
from torch import Tensor

from advtool.errors import UsageError

TINY = torch.finfo(torch.float32).tiny


@dataclass(frozen=True)
class Ball(ABC):
    """All perturbations of norm at most `eps`.

    A norm of its own is a subclass with `name`, `norm`, `_project`, `_within`, `step`, `_random`, `dual`, `shortest`.

    Attributes
    ----------
    eps : radius, ≥ 0; infinite without a limit
    name : of the norm
    starts_at_random : whether PGD starts at a random point by default
    training_step : length of PGD's steps in adversarial training by default, in units of eps
    restart : how far around the input FAB begins anew, at most, where it has found nothing and eps is infinite
    shrinks : perturbations that are scaled down are smaller
    sparse : Auto-PGD takes sparse steps, of a length and a sparsity that it adapts (Croce and Hein 2021)
    phases : the (share of the steps, radius in units of eps) that Auto-PGD goes through; the last radius is eps
    """

    eps: float = math.inf
    name: ClassVar[str]
    starts_at_random: ClassVar[bool] = False
    training_step: ClassVar[float] = 1 / 5
    restart: ClassVar[float] = 1.0
    shrinks: ClassVar[bool] = True
    sparse: ClassVar[bool] = False
    phases: ClassVar[tuple[tuple[float, float], ...]] = ((1.0, 1.0),)

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

    def far(self, inputs: Tensor, ids: Tensor, seed: int) -> Tensor:
        """Where Auto-PGD begins: a random point of the sphere, cut off at the box [0, 1]."""
        delta = self.random(inputs, ids, seed)
        return (inputs + delta * (self.eps / per_example(self.norm(delta), delta).clamp_min(TINY))).clamp(0, 1)

    def inside(self, x: Tensor, inputs: Tensor, radius: Tensor | None = None) -> Tensor:
        """The points moved into the ball around `inputs`, then into the box [0, 1].

        Parameters
        ----------
        radius : one for each example instead of `eps`, N
        """
        delta = x - inputs
        return (inputs + (self.project(delta) if radius is None else self._within(delta, radius))).clamp(0, 1)

    def ascent(self, gradient: Tensor, x: Tensor) -> Tensor:
        """The direction, of norm at most 1, of a step of PGD from x."""
        return self.step(gradient)

    @abstractmethod
    def dual(self, gradient: Tensor) -> Tensor:
        """How much a linear function of this gradient grows at most, per unit of the norm: N."""

    @abstractmethod
    def shortest(self, size: Tensor, room: Tensor, wanted: Tensor) -> Tensor:
        """The smallest moves in a box that reach a hyperplane.

        Parameters
        ----------
        size : N×D, ≥ 0: what a coordinate gains per unit that it moves
        room : N×D, ≥ 0: how far it can go; 0 where `size` is
        wanted : N, ≥ 0: what all have to gain together

        Returns
        -------
        N×D, between 0 and `room`; all of `room` where it is not enough
        """

    @abstractmethod
    def _project(self, delta: Tensor) -> Tensor: ...

    @abstractmethod
    def _within(self, delta: Tensor, radius: Tensor) -> Tensor:
        """As `_project`, into a ball of its own radius for each example, N."""

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
        return self.contain(self.inside(adversarial, inputs), inputs)

    def diameter(self, shape: tuple[int, ...]) -> float:
        """Distance of the farthest images C×H×W in [0, 1] from each other."""
        return float(self.norm(torch.ones(1, *shape, dtype=torch.float64, device="cpu")))


def per_example(values: Tensor, like: Tensor) -> Tensor:
    """One value for each example, N, shaped so that it broadcasts over a batch like `like`: N×1×1×1."""
    return values.view(-1, *[1] * (like.dim() - 1))


def precise(x: Tensor) -> Tensor:
    """In float64; in float32 on Apple's GPUs, which have no other."""
    return x.to(torch.float32 if x.device.type == "mps" else torch.float64)
