"""The search of Auto-PGD (Croce and Hein 2020, https://arxiv.org/abs/2003.01690), whatever it maximises.

Symbols are those of the paper's Algorithm 1. Where the authors' program differs from it, this follows the program, but
for the first step, which counts as one that raised the loss if it did.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from advtool import seeds
from advtool.attacks.guard import logits_of
from advtool.attacks.success import Strongest, fooled, looks
from advtool.ball import Ball, per_example
from advtool.prepared import Network

MOMENTUM = 0.75

Objective = Callable[[Tensor, Tensor], Tensor]
"""What to maximise: a function of logits and of the places of their examples in the batch."""


@dataclass(frozen=True, kw_only=True)
class Search:
    """What all runs of an attack share."""

    network: Network
    inputs: Tensor
    labels: Tensor
    ball: Ball
    steps: int
    ids: Tensor
    seed: int
    rho: float = 0.75
    targeted: bool = False
    early_stop: bool = True

    def run(self, clean: Tensor, objectives: Sequence[Objective], rank: Objective) -> Tensor:
        """One run for each objective; of several failures, or of several successes, keep that of highest `rank`."""
        everyone = torch.arange(len(self.inputs), device=self.inputs.device)
        strongest = Strongest(self.network, self.inputs, self.labels, self.targeted, self.early_stop)
        strongest.see(self.inputs, rank(clean, everyone), fooled(clean, self.labels, self.targeted), exact=True)
        for number, objective in enumerate(objectives if self.ball.eps > 0 else []):
            rows = strongest.remaining() if self.early_stop else everyone
            if not len(rows):
                break
            self._ascend(objective, rank, rows, seeds.derive(self.seed, "run", number), strongest)
        strongest.settle()
        return strongest.inputs

    def _ascend(self, objective: Objective, rank: Objective, rows: Tensor, seed: int, strongest: Strongest) -> None:
        """One run of Algorithm 1 on the examples `rows`."""
        ball, inputs = self.ball, self.inputs[rows]
        delta = ball.random(inputs, self.ids[rows], seed)
        delta = delta * (ball.eps / per_example(ball.norm(delta), delta).clamp_min(torch.finfo(delta.dtype).tiny))
        x = (inputs + delta).clamp(0, 1)
        loss, gradient = self._evaluate(x, objective, rank, rows, strongest)
        at = _Run.begun(rows, inputs, x, gradient, loss, 2 * ball.eps)
        period, elapsed = max(int(0.22 * self.steps), 1), 0
        for k in range(self.steps):
            if looks(k - 1, x.device, self.early_stop) and (left := strongest.left(at.rows)) is not None:
                at = at.of(left)
                if not len(at.rows):
                    break
            alpha = MOMENTUM if k else 1.0
            z = self._project(at.x + per_example(at.eta, at.x) * ball.step(at.gradient), at.inputs)
            x = self._project(at.x + alpha * (z - at.x) + (1 - alpha) * (at.x - at.x_old), at.inputs)
            loss, gradient = self._evaluate(x, objective, rank, at.rows, strongest)
            at.advance(x, gradient, loss)
            elapsed += 1
            if elapsed == period:
                at.checkpoint(self.rho * period)
                period, elapsed = max(period - max(int(0.03 * self.steps), 1), int(0.06 * self.steps), 1), 0

    def _evaluate(
        self, x: Tensor, objective: Objective, rank: Objective, rows: Tensor, strongest: Strongest
    ) -> tuple[Tensor, Tensor]:
        """(loss, its gradient) at x."""
        x = x.detach().requires_grad_(True)
        logits = logits_of(self.network, x)
        loss = objective(logits, rows)
        (gradient,) = torch.autograd.grad(loss.sum(), x)
        x, loss, logits = x.detach(), loss.detach(), logits.detach()
        success = fooled(logits, self.labels[rows], self.targeted)
        strongest.see(x, loss if rank is objective else rank(logits, rows), success, rows)
        return loss, gradient

    def _project(self, x: Tensor, inputs: Tensor) -> Tensor:
        return (inputs + self.ball.project(x - inputs)).clamp(0, 1)


@dataclass(kw_only=True)
class _Run:
    """Where a run is: one row per example that is still attacked.

    Attributes
    ----------
    rows : their places in the batch, n
    inputs, x_old, x, x_max : the images, the last two iterates and the best one, n×C×H×W
    gradient, loss : at x
    gradient_max, f_max : at x_max
    f_max_checked : f_max at the last checkpoint
    eta : step size, n
    raised : how many steps since the last checkpoint raised the loss, n
    halved : whether the last checkpoint halved the step size: bool, n
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
    f_max_checked: Tensor
    eta: Tensor
    raised: Tensor
    halved: Tensor

    @classmethod
    def begun(cls, rows: Tensor, inputs: Tensor, x: Tensor, gradient: Tensor, loss: Tensor, eta: float) -> "_Run":
        """A run at its first point."""
        return cls(
            rows=rows,
            inputs=inputs,
            x_old=x,
            x=x,
            x_max=x,
            gradient=gradient,
            gradient_max=gradient,
            loss=loss,
            f_max=loss,
            f_max_checked=loss,
            eta=torch.full_like(loss, eta),
            raised=torch.zeros_like(loss),
            halved=torch.ones_like(loss, dtype=torch.bool),
        )

    def of(self, rows: Tensor) -> "_Run":
        """The run of some of the examples, by their place in it."""
        return _Run(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})

    def advance(self, x: Tensor, gradient: Tensor, loss: Tensor) -> None:
        """Move to x, and note whether it is better than the last iterate and than all."""
        self.raised = self.raised + (loss > self.loss)
        self.x_old, self.x, self.gradient, self.loss = self.x, x, gradient, loss
        better = loss > self.f_max
        self.x_max = torch.where(per_example(better, x), x, self.x_max)
        self.gradient_max = torch.where(per_example(better, x), gradient, self.gradient_max)
        self.f_max = torch.where(better, loss, self.f_max)

    def checkpoint(self, enough: float) -> None:
        """Halve the step and go back to the best point, where too few steps raised the loss (condition 1), or where
        neither the maximum nor the step size has changed since the last checkpoint (condition 2)."""
        stuck = (self.raised <= enough) | (~self.halved & (self.f_max_checked >= self.f_max))
        self.eta = torch.where(stuck, self.eta / 2, self.eta)
        self.x = torch.where(per_example(stuck, self.x), self.x_max, self.x)
        self.gradient = torch.where(per_example(stuck, self.x), self.gradient_max, self.gradient)
        self.halved, self.f_max_checked, self.raised = stuck, self.f_max, torch.zeros_like(self.raised)
