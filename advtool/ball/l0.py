"""Perturbations by how many components they change."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from advtool.ball.base import Ball
from advtool.ball.ways import in_order
from advtool.errors import UsageError


@dataclass(frozen=True)
class L0(Ball):
    """Perturbations that change at most `eps` components of an image, each channel of a pixel counted by itself.

    It has no directions to follow: attacks that are for it look for the smallest perturbation.
    """

    name = "l0"
    shrinks = False

    def norm(self, delta: Tensor) -> Tensor:
        return (delta != 0).flatten(1).sum(1).to(delta.dtype)

    def step(self, gradient: Tensor) -> Tensor:
        raise self._still()

    def dual(self, gradient: Tensor) -> Tensor:
        raise self._still()

    def shortest(self, size: Tensor, room: Tensor, wanted: Tensor) -> Tensor:
        return in_order(size, room, wanted, (size * room).argsort(stable=True, dim=1, descending=True))

    def _project(self, delta: Tensor) -> Tensor:
        """The largest components stay."""
        flat = delta.flatten(1)
        kept = flat.abs().topk(min(math.floor(self.eps), flat.shape[1]), dim=1).indices
        return torch.zeros_like(flat).scatter(1, kept, flat.gather(1, kept)).view_as(delta)

    def _within(self, delta: Tensor, radius: Tensor) -> Tensor:
        flat = delta.flatten(1)
        rank = flat.abs().argsort(stable=True, dim=1, descending=True).argsort(1)
        return torch.where(rank < radius[:, None], flat, 0).view_as(delta)

    def _random(self, like: Tensor, ids: Tensor, seed: int) -> Tensor:
        raise self._still()

    def _still(self) -> UsageError:
        return UsageError("has no directions: take an attack for it, such as fmn", parameter="adv", value=self.name)
