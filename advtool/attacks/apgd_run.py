"""Where a run of Auto-PGD is, and how it goes on from there.

Symbols are those of Croce and Hein 2020 (https://arxiv.org/abs/2003.01690), Algorithm 1, and of Croce and Hein 2021
(https://arxiv.org/abs/2103.01208), Algorithm 1. Where the authors' programs differ, this follows the programs, but for
the first step, which counts as one that raised the loss if it did.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Self

import torch
from torch import Tensor

from advtool.ball import Ball, per_example

MOMENTUM = 0.75
_SPARSEST, _SHORTEST, _FEWER = 1.5, 10, 0.95


@dataclass(kw_only=True)
class Run(ABC):
    """One row per example that is still attacked.

    Attributes
    ----------
    rows : their places in the batch, n
    inputs, x_old, x, x_max : the images, the last two iterates and the best one, n×C×H×W
    gradient, loss : at x
    gradient_max, f_max : at x_max
    eta : step size, n
    """

    rows: Tensor
    inputs: Tensor
    x_old: Tensor
    x: Tensor
    x_max: Tensor
    gradient: Tensor
    gradient_max: Tensor
    loss: Tensor
    f_max: Tensor
    eta: Tensor

    @classmethod
    def begun(cls, rows: Tensor, inputs: Tensor, x: Tensor, gradient: Tensor, loss: Tensor, ball: Ball) -> Self:
        """A run at its first point."""
        at = {"x_old": x, "x": x, "x_max": x, "gradient": gradient, "gradient_max": gradient}
        return cls(rows=rows, inputs=inputs, **at, loss=loss, f_max=loss, **cls._first(inputs, x, loss, ball))

    def of(self, rows: Tensor) -> Self:
        """The run of some of the examples, by their place in it."""
        return type(self)(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})

    def advance(self, x: Tensor, gradient: Tensor, loss: Tensor) -> None:
        """Move to x, and note whether it is better than all."""
        self.x_old, self.x, self.gradient, self.loss = self.x, x, gradient, loss
        better = loss > self.f_max
        self.x_max = torch.where(per_example(better, x), x, self.x_max)
        self.gradient_max = torch.where(per_example(better, x), gradient, self.gradient_max)
        self.f_max = torch.where(better, loss, self.f_max)

    def back_to_best(self, where: Tensor) -> None:
        """Go on from the best point, where: bool, n."""
        self.x = torch.where(per_example(where, self.x), self.x_max, self.x)
        self.gradient = torch.where(per_example(where, self.x), self.gradient_max, self.gradient)

    @classmethod
    @abstractmethod
    def _first(cls, inputs: Tensor, x: Tensor, loss: Tensor, ball: Ball) -> dict[str, Tensor]:
        """The step size and all that a way of going on needs besides."""

    @staticmethod
    @abstractmethod
    def periods(steps: int) -> Iterator[int]:
        """Numbers of steps between checkpoints."""

    @abstractmethod
    def next(self, ball: Ball, step: int) -> Tensor:
        """The next iterate."""

    @abstractmethod
    def checkpoint(self, ball: Ball, period: int, rho: float) -> None:
        """Look at what `period` steps have brought."""


@dataclass(kw_only=True)
class Halving(Run):
    """Steps with momentum, of a length that halves when stuck (2020).

    Attributes
    ----------
    f_max_checked : f_max at the last checkpoint
    raised : how many steps since the last checkpoint raised the loss, n
    halved : whether the last checkpoint halved the step size: bool, n
    """

    f_max_checked: Tensor
    raised: Tensor
    halved: Tensor

    @classmethod
    def _first(cls, inputs: Tensor, x: Tensor, loss: Tensor, ball: Ball) -> dict[str, Tensor]:
        first = {"eta": torch.full_like(loss, 2 * ball.eps), "f_max_checked": loss}
        return {**first, "raised": torch.zeros_like(loss), "halved": torch.ones_like(loss, dtype=torch.bool)}

    @staticmethod
    def periods(steps: int) -> Iterator[int]:
        period = max(int(0.22 * steps), 1)
        while True:
            yield period
            period = max(period - max(int(0.03 * steps), 1), int(0.06 * steps), 1)

    def next(self, ball: Ball, step: int) -> Tensor:
        alpha = MOMENTUM if step else 1.0
        z = ball.inside(self.x + per_example(self.eta, self.x) * ball.step(self.gradient), self.inputs)
        return ball.inside(self.x + alpha * (z - self.x) + (1 - alpha) * (self.x - self.x_old), self.inputs)

    def advance(self, x: Tensor, gradient: Tensor, loss: Tensor) -> None:
        self.raised = self.raised + (loss > self.loss)
        super().advance(x, gradient, loss)

    def checkpoint(self, ball: Ball, period: int, rho: float) -> None:
        """Halve the step and go back to the best point, where too few steps raised the loss (condition 1), or where
        neither the maximum nor the step size has changed since the last checkpoint (condition 2)."""
        stuck = (self.raised <= rho * period) | (~self.halved & (self.f_max_checked >= self.f_max))
        self.eta = torch.where(stuck, self.eta / 2, self.eta)
        self.back_to_best(stuck)
        self.halved, self.f_max_checked, self.raised = stuck, self.f_max, torch.zeros_like(self.raised)


@dataclass(kw_only=True)
class Sparse(Run):
    """Steps along the signs of the largest components of the gradient, of which the best point says how many (2021).

    Where the authors round their number up, this rounds down, so that a vertex of the ball can be reached; components
    that the box holds where they are do not count.


    Attributes
    ----------
    share : of the components that a step moves, n
    changed : how many components of the best point were changed at the last checkpoint, n
    """

    share: Tensor
    changed: Tensor

    @classmethod
    def _first(cls, inputs: Tensor, x: Tensor, loss: Tensor, ball: Ball) -> dict[str, Tensor]:
        changed = _changed(x, inputs).to(loss.dtype)
        share = changed / inputs[0].numel() / _SPARSEST
        return {"eta": torch.full_like(loss, ball.eps), "share": share, "changed": changed}

    @staticmethod
    def periods(steps: int) -> Iterator[int]:
        while True:
            yield max(int(0.04 * steps), 1)

    def next(self, ball: Ball, step: int) -> Tensor:
        free = torch.where(self.gradient > 0, self.x < 1, self.x > 0)
        size = (self.gradient.nan_to_num(nan=0.0).abs() * free).flatten(1)
        kept = (self.share * size.shape[1]).long().clamp_min(1)
        least = size.sort(1, descending=True).values.gather(1, kept[:, None] - 1)
        sign = self.gradient.nan_to_num(nan=0.0).flatten(1).sign() * ((size >= least) & (size > 0))
        sign = (sign / sign.abs().sum(1, keepdim=True).clamp_min(1)).view_as(self.x)
        return ball.inside(self.x + per_example(self.eta, self.x) * sign, self.inputs)

    def checkpoint(self, ball: Ball, period: int, rho: float) -> None:
        """Where the best point has become sparser, begin anew from it with long steps; elsewhere make them shorter."""
        changed = _changed(self.x_max, self.inputs).to(self.share.dtype)
        sparser = changed < _FEWER * self.changed
        self.share = changed / self.inputs[0].numel() / _SPARSEST
        self.eta = torch.where(sparser, ball.eps, (self.eta / _SPARSEST).clamp_min(ball.eps / _SHORTEST))
        self.changed = changed
        self.back_to_best(sparser)


def _changed(x: Tensor, inputs: Tensor) -> Tensor:
    """How many components differ: n."""
    return (x != inputs).flatten(1).sum(1)
