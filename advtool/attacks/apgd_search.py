"""The search of Auto-PGD (Croce and Hein 2020, https://arxiv.org/abs/2003.01690), whatever it maximises."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from advtool import seeds
from advtool.attacks.apgd_run import Halving, Run, Sparse
from advtool.attacks.guard import gradient_of
from advtool.attacks.success import Strongest, fooled, looks
from advtool.ball import Ball
from advtool.prepared import Network

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
        """One run on the examples `rows`: in l1 through larger balls first, and only what is in the last one counts."""
        *larger, (_, last) = [(int(share * self.steps), factor) for share, factor in self.ball.phases]
        x = self.ball.with_eps((larger[0][1] if larger else last) * self.ball.eps).far(
            self.inputs[rows], self.ids[rows], seed
        )
        for steps, factor in larger:
            x = self._climb(objective, rank, rows, x, self.ball.with_eps(factor * self.ball.eps), steps, None).x_max
        self._climb(objective, rank, rows, x, self.ball, self.steps - sum(steps for steps, _ in larger), strongest)

    def _climb(
        self,
        objective: Objective,
        rank: Objective,
        rows: Tensor,
        x: Tensor,
        ball: Ball,
        steps: int,
        strongest: Strongest | None,
    ) -> Run:
        """Steps from x moved into a ball, shown to `strongest`."""
        inputs = self.inputs[rows]
        x = ball.inside(x, inputs)
        loss, gradient = self._evaluate(x, objective, rank, rows, strongest)
        at = (Sparse if ball.sparse else Halving).begun(rows, inputs, x, gradient, loss, ball)
        periods = at.periods(steps)
        period, elapsed = next(periods), 0
        for step in range(steps):
            if strongest and looks(step - 1, x.device, self.early_stop):
                if (left := strongest.left(at.rows)) is not None:
                    at = at.of(left)
                if not len(at.rows):
                    break
            x = at.next(ball, step)
            loss, gradient = self._evaluate(x, objective, rank, at.rows, strongest)
            at.advance(x, gradient, loss)
            elapsed += 1
            if elapsed == period:
                at.checkpoint(ball, period, self.rho)
                period, elapsed = next(periods), 0
        return at

    def _evaluate(
        self, x: Tensor, objective: Objective, rank: Objective, rows: Tensor, strongest: Strongest | None
    ) -> tuple[Tensor, Tensor]:
        """(loss, its gradient) at x."""
        logits, loss, gradient = gradient_of(self.network, x, objective, rows)
        if strongest:
            success = fooled(logits, self.labels[rows], self.targeted)
            strongest.see(x, loss if rank is objective else rank(logits, rows), success, rows)
        return loss, gradient
