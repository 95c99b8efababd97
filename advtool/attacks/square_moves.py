"""The random moves of Square Attack: where it starts, and what it tries next, in each norm.

Every example has its own squares; their side h is the same for all. The paper's ν is `delta`, its η `bump`.
"""

from abc import ABC, abstractmethod
from functools import lru_cache
from typing import ClassVar, Protocol

import torch
from torch import Tensor

from advtool import keyed
from advtool.ball import L1, L2, Ball, per_example
from advtool.errors import unknown

_SMALL = 1e-12


class Moves(Protocol):
    def numbers(self, channels: int) -> int:
        """How many random numbers a move needs."""

    def side(self, area: float, largest: int) -> int:
        """Side of a square of about this area, if `largest` is the largest possible."""

    def start(self, inputs: Tensor, eps: float, ids: Tensor, seed: int) -> Tensor:
        """The first query of each example."""

    def propose(self, inputs: Tensor, x: Tensor, eps: float, h: int, u: Tensor) -> Tensor:
        """What to try instead of the best points `x`; `u` holds uniform numbers, N×numbers."""


class LinfMoves:
    """Squares in which every channel is shifted by eps up or down (Algorithm 2)."""

    def numbers(self, channels: int) -> int:
        return 2 + channels

    def side(self, area: float, largest: int) -> int:
        return min(max(round(area**0.5), 1), largest)

    def start(self, inputs: Tensor, eps: float, ids: Tensor, seed: int) -> Tensor:
        """Vertical stripes."""
        n, c, _, w = inputs.shape
        up = keyed.uniform((n, c, 1, w), ids, seed) < 0.5
        return torch.where(up, inputs + eps, inputs - eps).clamp(0, 1)

    def propose(self, inputs: Tensor, x: Tensor, eps: float, h: int, u: Tensor) -> Tensor:
        inside = _inside(u[:, 0], h, x.shape[2])[:, None, :, None] & _inside(u[:, 1], h, x.shape[3])[:, None, None, :]
        shift = torch.where(u[:, 2:, None, None] < 0.5, eps, -eps).to(x.dtype)
        tried = torch.where(inside, (inputs + shift).clamp(0, 1), x)
        # A query that changes nothing would be wasted, so the opposite is tried instead.
        idle = (tried == x).flatten(1).all(1)
        return torch.where(inside & per_example(idle, x), (inputs - shift).clamp(0, 1), tried)


class Bumps(ABC):
    """Squares in which a bump is added, with the budget of a second square that is emptied (Algorithm 3)."""

    norm: ClassVar[int]
    """The exponent of the norm in which bumps are measured."""

    def numbers(self, channels: int) -> int:
        return 5 + channels

    def side(self, area: float, largest: int) -> int:
        side = max(round(area**0.5), 3)
        side += side % 2 == 0
        return side if side <= largest else max(largest - (largest % 2 == 0), 1)

    def start(self, inputs: Tensor, eps: float, ids: Tensor, seed: int) -> Tensor:
        """A grid of bumps, each in a random orientation, with a random sign in every channel."""
        n, c, height, width = inputs.shape
        h = max(min(height, width) // 5, 1)
        rows, columns = height // h, width // h
        u = keyed.uniform((n, c + 1, rows, 1, columns, 1), ids, seed)
        bump = _bump(h, inputs.device, inputs.dtype)
        tiles = torch.where(u[:, :1] < 0.5, bump[:, None, :], bump.T[:, None, :]) * _sign(u[:, 1:])
        delta = torch.zeros_like(inputs)
        top, left = (height - rows * h) // 2, (width - columns * h) // 2
        delta[:, :, top : top + rows * h, left : left + columns * h] = tiles.reshape(n, c, rows * h, columns * h)
        return self.reach(inputs, eps, delta)

    def propose(self, inputs: Tensor, x: Tensor, eps: float, h: int, u: Tensor) -> Tensor:
        c = x.shape[1]
        delta = (x - inputs).flatten(2)
        unused = (eps**self.norm - self._measure(delta, (1, 2))).clamp_min(0)[:, None, None]
        first, second = (_places(u[:, i], u[:, i + 1], h, x.shape).expand(-1, c, -1) for i in (0, 2))
        old = delta.gather(2, first)
        delta = delta.scatter(2, first, 0)
        freed = self._measure(delta.gather(2, second), 2, keepdim=True)
        in_first = self._measure(old, 2, keepdim=True)
        bump = _bump(h, x.device, x.dtype)
        bump = torch.where(u[:, 4, None, None] < 0.5, bump.flatten(), bump.T.flatten())
        bump = bump / bump.norm(p=self.norm, dim=2, keepdim=True)
        new = bump * _sign(u[:, 5:, None]) + old / (in_first ** (1 / self.norm) + _SMALL)
        new = new / (new.norm(p=self.norm, dim=2, keepdim=True) + _SMALL)
        new = new * (unused / c + in_first + freed) ** (1 / self.norm)
        delta = delta.scatter(2, second, 0).scatter(2, first, new).view_as(x)
        return self.reach(inputs, eps, delta)

    @abstractmethod
    def reach(self, inputs: Tensor, eps: float, delta: Tensor) -> Tensor:
        """The images with a perturbation of any size, moved into ball and box."""

    def _measure(self, delta: Tensor, dim: int | tuple[int, int], keepdim: bool = False) -> Tensor:
        """The norm to the power of its exponent."""
        return delta.abs().pow(self.norm).sum(dim, keepdim=keepdim)


class L2Moves(Bumps):
    """Bumps that use all of the radius."""

    norm = 2

    def reach(self, inputs: Tensor, eps: float, delta: Tensor) -> Tensor:
        return (inputs + eps * L2().step(delta)).clamp(0, 1)


class L1Moves(Bumps):
    """Bumps in l1 (Croce and Hein 2021, section 5)."""

    norm = 1

    def reach(self, inputs: Tensor, eps: float, delta: Tensor) -> Tensor:
        return L1(eps).inside(inputs + delta, inputs)


MOVES: dict[str, Moves] = {"linf": LinfMoves(), "l2": L2Moves(), "l1": L1Moves()}


def moves_of(ball: Ball) -> Moves:
    """The moves in the norm of the ball.

    Raises
    ------
    UsageError
        if there are none
    """
    if ball.name not in MOVES:
        raise unknown("norm of square", ball.name, MOVES, parameter="ball")
    return MOVES[ball.name]


def _position(u: Tensor, h: int, size: int) -> Tensor:
    """Where an interval of length h begins in one of length `size`: N."""
    return (u * (size - h + 1)).long()


def _inside(u: Tensor, h: int, size: int) -> Tensor:
    """Which of `size` places are in a random interval of length h: bool, N×size."""
    offset = torch.arange(size, device=u.device) - _position(u, h, size)[:, None]
    return (offset >= 0) & (offset < h)


def _places(u: Tensor, v: Tensor, h: int, shape: torch.Size) -> Tensor:
    """The places of the pixels of a random square of side h in a flattened image: N×1×h²."""
    side = torch.arange(h, device=u.device)
    within = (side[:, None] * shape[3] + side).flatten()
    return (_position(u, h, shape[2]) * shape[3] + _position(v, h, shape[3]))[:, None, None] + within


def _sign(u: Tensor) -> Tensor:
    return torch.where(u < 0.5, 1.0, -1.0)


@lru_cache
def _bump(h: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Two pyramids side by side, one up, one down, together of norm 1: h×h."""
    bump = torch.cat([_pyramid(h // 2, h), -_pyramid(h - h // 2, h)])
    return (bump / bump.norm()).to(device, dtype)


def _pyramid(height: int, width: int) -> Tensor:
    """Nested squares around the centre, the k-th adding 1/k², scaled to norm 1; cut off at the edges."""
    pyramid = torch.zeros(height, width)
    top, left = height // 2, width // 2
    for k in range(max(top, left) + 1):
        pyramid[max(top - k, 0) : top + k + 1, max(left - k, 0) : left + k + 1] += 1 / (k + 1) ** 2
    return pyramid / pyramid.norm().clamp_min(_SMALL)
