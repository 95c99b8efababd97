"""The search of Auto-PGD (Croce and Hein 2020, https://arxiv.org/abs/2003.01690), whatever it maximises.

Symbols are those of the paper's Algorithm 1. Where the authors' program differs from it, this follows the program, but
for the first step, which counts as one that raised the loss if it did.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn

from advtool import keyed
from advtool.attacks.ball import BALLS, contain
from advtool.attacks.guard import logits_of
from advtool.attacks.success import Strongest, confirmed, fooled

MOMENTUM = 0.75

Objective = Callable[[Tensor, Tensor], Tensor]
"""What to maximise: a function of logits and of the places of their examples in the batch."""


@dataclass(frozen=True)
class Search:
    """What all runs of an attack share."""

    model: nn.Module
    inputs: Tensor
    labels: Tensor
    norm: str
    eps: float
    steps: int
    rho: float
    targeted: bool
    early_stop: bool
    ids: Tensor | None
    seed: int
    amp: bool

    def run(self, clean: Tensor, objectives: Sequence[Objective], rank: Objective) -> Tensor:
        """One run an objective; of several failures, or of several successes, keep the one of highest `rank`."""
        everyone = torch.arange(len(self.inputs), device=self.inputs.device)
        ids = everyone if self.ids is None else self.ids
        strongest = Strongest(self.inputs)
        strongest.see(self.inputs, rank(clean, everyone), fooled(clean, self.labels, self.targeted))
        for number, objective in enumerate(objectives if self.eps > 0 else []):
            rows = strongest.remaining() if self.early_stop else everyone
            if not len(rows):
                break
            self._ascend(objective, rank, rows, ids[rows], keyed.derive(self.seed, "run", number), strongest)
        return contain(BALLS[self.norm], strongest.inputs, self.inputs, self.eps)

    def _ascend(
        self, objective: Objective, rank: Objective, rows: Tensor, ids: Tensor, seed: int, strongest: Strongest
    ) -> None:
        """One run of Algorithm 1 on the examples `rows`."""
        ball, inputs = BALLS[self.norm], self.inputs[rows]
        delta = ball.random(inputs, self.eps, ids, seed)
        delta = delta * (self.eps / _column(ball.norm(delta), delta).clamp_min(torch.finfo(delta.dtype).tiny))
        x = (inputs + delta).clamp(0, 1)
        loss, gradient, done = self._evaluate(x, objective, rank, rows, strongest)
        eta, never = torch.full_like(loss, 2 * self.eps), torch.zeros_like(loss)
        at = _State(rows, inputs, x, x, gradient, loss, x, gradient, loss, loss, eta, never, never == 0)
        at = at.without(done)
        period, elapsed = max(int(0.22 * self.steps), 1), 0
        for k in range(self.steps):
            if not len(at.rows):
                break
            alpha = MOMENTUM if k else 1.0
            z = self._project(at.x + _column(at.eta, at.x) * ball.step(at.gradient), at.inputs)
            x = self._project(at.x + alpha * (z - at.x) + (1 - alpha) * (at.x - at.x_old), at.inputs)
            loss, gradient, done = self._evaluate(x, objective, rank, at.rows, strongest)
            at.advance(x, gradient, loss)
            elapsed += 1
            if elapsed == period:
                at.checkpoint(self.rho * period)
                period, elapsed = max(period - max(int(0.03 * self.steps), 1), int(0.06 * self.steps), 1), 0
            at = at.without(done)

    def _evaluate(
        self, x: Tensor, objective: Objective, rank: Objective, rows: Tensor, strongest: Strongest
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """(loss, its gradient, which examples to stop) at x, or None if there are none to stop."""
        with torch.enable_grad():
            x = x.detach().requires_grad_(True)
            logits = logits_of(self.model, x, self.amp)
            loss = objective(logits, rows)
            (gradient,) = torch.autograd.grad(loss.sum(), x)
        x, loss, logits, labels = x.detach(), loss.detach(), logits.detach(), self.labels[rows]
        success = fooled(logits, labels, self.targeted)
        if self.amp:
            success = confirmed(self.model, x, labels, success, self.targeted)
        strongest.see(x, loss if rank is objective else rank(logits, rows), success, rows)
        return loss, gradient, success if self.early_stop and success.any() else None

    def _project(self, x: Tensor, inputs: Tensor) -> Tensor:
        return (inputs + BALLS[self.norm].project(x - inputs, self.eps)).clamp(0, 1)


@dataclass
class _State:
    """The state of a run, one row an example that is still attacked."""

    rows: Tensor
    inputs: Tensor
    x_old: Tensor
    x: Tensor
    gradient: Tensor
    loss: Tensor
    x_max: Tensor
    gradient_max: Tensor
    f_max: Tensor
    f_max_checked: Tensor
    eta: Tensor
    raised: Tensor
    halved: Tensor

    def without(self, done: Tensor | None) -> "_State":
        return self if done is None else _State(*(getattr(self, field.name)[~done] for field in fields(self)))

    def advance(self, x: Tensor, gradient: Tensor, loss: Tensor) -> None:
        """Move to x, and note whether it is better than the last iterate and than all."""
        self.raised = self.raised + (loss > self.loss)
        self.x_old, self.x, self.gradient, self.loss = self.x, x, gradient, loss
        better = loss > self.f_max
        self.x_max = torch.where(_column(better, x), x, self.x_max)
        self.gradient_max = torch.where(_column(better, x), gradient, self.gradient_max)
        self.f_max = torch.where(better, loss, self.f_max)

    def checkpoint(self, enough: float) -> None:
        """Halve the step and go back to the best point, where too few steps raised the loss (condition 1), or where
        neither the maximum nor the step size has changed since the last checkpoint (condition 2)."""
        stuck = (self.raised <= enough) | (~self.halved & (self.f_max_checked >= self.f_max))
        self.eta = torch.where(stuck, self.eta / 2, self.eta)
        self.x = torch.where(_column(stuck, self.x), self.x_max, self.x)
        self.gradient = torch.where(_column(stuck, self.x), self.gradient_max, self.gradient)
        self.halved, self.f_max_checked, self.raised = stuck, self.f_max, torch.zeros_like(self.raised)


def _column(values: Tensor, like: Tensor) -> Tensor:
    return values.view(-1, *[1] * (like.dim() - 1))
