"""Auto-PGD (Croce and Hein 2020, https://arxiv.org/abs/2003.01690): PGD that finds its own step size.

Symbols are those of the paper's Algorithm 1. Where it and the authors' program differ, this follows the program.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn

from advtool import keyed
from advtool.attacks.ball import BALLS, contain
from advtool.attacks.guard import logits_of, untouched
from advtool.attacks.losses import dlr, log_odds, margin, targeted_dlr, targeted_margin
from advtool.attacks.success import Strongest, confirmed, fooled

MOMENTUM = 0.75
LOSSES = {"ce": log_odds, "dlr": dlr, "margin": margin}  # log_odds makes the same steps as the cross-entropy

Objective = Callable[[Tensor, Tensor], Tensor]
"""What to maximise, of logits and the places of their examples in the batch."""


def apgd(
    model: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    norm: str,
    eps: float,
    *,
    steps: int = 100,
    restarts: int = 1,
    loss: str = "ce",
    targeted: bool = False,
    rho: float = 0.75,
    early_stop: bool = True,
    ids: Tensor | None = None,
    seed: int = 0,
    amp: bool = False,
) -> Tensor:
    """Maximise a loss of `labels` in a ball around `inputs`, with momentum and a step size that halves when stuck.

    Parameters
    ----------
    model : takes pixels in [0, 1], N×C×H×W, returns logits; left exactly as it was found
    inputs : N×C×H×W in [0, 1]
    labels : N, int64; the true classes, or the targets if `targeted`
    norm, eps : ``l2`` or ``linf``, and the radius
    steps : gradient steps of a run
    restarts : runs, each from a random point on the sphere
    loss : ``ce``, ``dlr`` (margin if there are fewer than three classes) or ``margin``
    targeted : minimise the loss of `labels` instead
    rho : the step size halves if a smaller share of the steps since the last checkpoint raised the loss
    early_stop : stop an example at its first success. Off, it goes on to the success of highest loss
    ids : N, int64; what the random starts of each example are keyed by; its place in the batch by default
    seed : of the random starts
    amp : drive the attack in bfloat16. A success is one only if it is confirmed in float32

    Returns
    -------
    Tensor like `inputs`: the strongest iterate seen, within eps of them in the norm, and in [0, 1]. The inputs count
    as seen

    Raises
    ------
    AdvtoolError
        if the model returns logits that are not finite
    """
    if loss not in LOSSES:
        raise ValueError(f"loss must be one of {', '.join(LOSSES)}")
    with untouched(model):
        clean = _clean_logits(model, inputs)
        classes = clean.shape[1]
        function = LOSSES["margin" if loss == "dlr" and classes < 3 else loss]

        def objective(logits: Tensor, rows: Tensor) -> Tensor:
            value = function(logits, labels[rows])
            return -value if targeted else value

        search = _Search(model, inputs, labels, norm, eps, steps, rho, targeted, early_stop, ids, seed, amp)
        return search.run(clean, [objective] * restarts if classes > 1 else [], rank=objective)


def apgd_t(
    model: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    norm: str,
    eps: float,
    *,
    steps: int = 100,
    target_classes: int = 9,
    restarts: int = 1,
    ids: Tensor | None = None,
    seed: int = 0,
    amp: bool = False,
) -> Tensor:
    """Auto-PGD towards each of the most likely wrong classes in turn, on the targeted DLR loss.

    Parameters
    ----------
    model, inputs, labels, norm, eps, steps, ids, seed, amp : as of `apgd`
    target_classes : how many of the classes that are most likely at the inputs to try
    restarts : runs towards each class

    Returns
    -------
    Tensor like `inputs`: the strongest iterate seen (of the failures the one of highest margin), within eps of them
    in the norm, and in [0, 1]. The inputs count as seen

    Raises
    ------
    AdvtoolError
        if the model returns logits that are not finite
    """
    with untouched(model):
        clean = _clean_logits(model, inputs)
        function = targeted_dlr if clean.shape[1] >= 4 else targeted_margin
        others = clean.scatter(1, labels[:, None], -torch.inf)
        likeliest = others.sort(dim=1, descending=True, stable=True).indices[
            :, : min(target_classes, clean.shape[1] - 1)
        ]

        def towards(targets: Tensor) -> Objective:
            return lambda logits, rows: function(logits, labels[rows], targets[rows])

        objectives = [towards(targets) for targets in likeliest.unbind(1) for _ in range(restarts)]
        search = _Search(model, inputs, labels, norm, eps, steps, 0.75, False, True, ids, seed, amp)
        return search.run(clean, objectives, rank=lambda logits, rows: margin(logits, labels[rows]))


@torch.no_grad()
def _clean_logits(model: nn.Module, inputs: Tensor) -> Tensor:
    return logits_of(model, inputs)


@dataclass(frozen=True)
class _Search:
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
