"""Fast adaptive boundary attack (Croce and Hein 2020, https://arxiv.org/abs/1907.02044)."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from advtool import seeds
from advtool.attacks.boundaries import nearest
from advtool.attacks.guard import attack, gradient_of, logits_of, mean_logits, numbered, went_back
from advtool.attacks.hyperplane import to_hyperplane
from advtool.attacks.smallest import Smallest
from advtool.attacks.success import looks
from advtool.ball import Ball, per_example
from advtool.errors import UsageError
from advtool.prepared import plain

_BISECTIONS = 10
_PROGRESS = 1e-3
_TINY = 1e-12


@attack(minimal=True)
def fab_t(
    model: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    ball: Ball,
    *,
    steps: int = 100,
    patience: int = 10,
    restarts: int = 1,
    target_classes: int = 9,
    alpha_max: float = 0.1,
    eta: float = 1.05,
    beta: float = 0.9,
    targeted: bool = False,
    eot: int = 1,
    ids: Tensor | None = None,
    seed: int = 0,
    amp: bool = False,
) -> Tensor:
    """Look for the smallest perturbation by projections onto the linearised boundary between two classes.

    The boundaries tried are those between the label and each of the classes of highest logit after it, one after the
    other (FAB-T, as in AutoAttack). The best example is moved towards the original by bisection at the end.

    Parameters
    ----------
    model : takes pixels in [0, 1], N×C×H×W, returns logits; left exactly as it was found
    inputs : N×C×H×W in [0, 1]
    labels : N, int64; the true classes, or the targets if `targeted`
    ball : ``L2()``, ``Linf()``, ``L1()`` or ``L0()``. With a radius an example is left alone once it is broken within
        it: faster; the same examples are broken there, but their distances are larger, and the result stays in the ball
    steps : projections for each boundary and restart, at most
    patience : leave a boundary when the distance, once there is one, has not fallen by 0.1% in so many steps
    restarts : runs for each boundary; all but the first begin at a random point, within half of the smallest distance
        found so far, or of the radius if that is less (without one: of 1 in l2, 0.3 in linf, 12 in l1)
    target_classes : boundaries tried
    alpha_max : the largest weight of the projection of the original, against that of the iterate
    eta : overshoot of the projections
    beta : how far from the original the search goes on after a success, as a fraction of the distance
    targeted : look for the smallest perturbation that is classified as `labels` instead, at their boundary to the
        class of highest logit
    eot : calls whose mean gradient is followed (expectation over transformation), where the model is random
    ids : N, int64; what the random starts of each example are keyed by; its place in the batch by default
    seed : of the random starts
    amp : drive the attack in bfloat16; a success is confirmed in float32

    Returns
    -------
    Tensor like `inputs`, in [0, 1]: the smallest adversarial example seen, or the strongest iterate if there was none

    Raises
    ------
    AdvtoolError
        if the model returns logits that are not finite
    """
    if restarts > 1 and not ball.shrinks:
        raise UsageError(f"begin at random points, of which there are none in {ball.name}", "restarts", restarts)
    search = _Search(ball, steps, patience, alpha_max, eta, beta, targeted)
    smallest = _begun(model, inputs, labels, ball, targeted)
    others = _others(smallest, labels)
    for rank in range(min(others.shape[1], 1 if targeted else target_classes)):
        search.restarted(model, smallest, inputs, labels, others[:, rank], restarts, numbered(inputs, ids), seed, rank)
    smallest.bisect(_BISECTIONS)
    return smallest.inputs


@attack(minimal=True)
def fab(
    model: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    ball: Ball,
    *,
    steps: int = 100,
    patience: int = 10,
    restarts: int = 1,
    alpha_max: float = 0.1,
    eta: float = 1.05,
    beta: float = 0.9,
    eot: int = 1,
    ids: Tensor | None = None,
    seed: int = 0,
    amp: bool = False,
) -> Tensor:
    """Look for the smallest perturbation by projections onto the nearest of the linearised boundaries to other classes.

    The boundary is chosen anew at each step, which takes as many gradients as there are other classes.

    Parameters
    ----------
    model, inputs, labels, ball, steps, patience, restarts, alpha_max, eta, beta, eot, ids, seed, amp : as of `fab_t`

    Returns
    -------
    Tensor like `inputs`, in [0, 1]: the smallest adversarial example seen, or the strongest iterate if there was none

    Raises
    ------
    AdvtoolError
        if the model returns logits that are not finite
    """
    search = _Search(ball, steps, patience, alpha_max, eta, beta, targeted=False)
    smallest = _begun(model, inputs, labels, ball)
    others = _others(smallest, labels)
    if others.shape[1]:
        search.restarted(model, smallest, inputs, labels, others, restarts, numbered(inputs, ids), seed)
    smallest.bisect(_BISECTIONS)
    return smallest.inputs


def _begun(model: nn.Module, inputs: Tensor, labels: Tensor, ball: Ball, targeted: bool = False) -> Smallest:
    enough = ball.eps if ball.is_bounded else 0.0
    return Smallest(plain(model), inputs, labels, ball, targeted=targeted, enough=enough)


def _others(smallest: Smallest, labels: Tensor) -> Tensor:
    """The other classes, the likeliest first: N×(K−1)."""
    return smallest.clean_logits.scatter(1, labels[:, None], -torch.inf).argsort(1, descending=True)[:, :-1]


@dataclass(frozen=True)
class _Search:
    """The search of a boundary, or of the nearest of several, as an attack was asked for it."""

    ball: Ball
    steps: int
    patience: int
    alpha_max: float
    eta: float
    beta: float
    targeted: bool

    def restarted(
        self,
        model: nn.Module,
        smallest: Smallest,
        inputs: Tensor,
        labels: Tensor,
        others: Tensor,
        restarts: int,
        ids: Tensor,
        seed: int,
        rank: int = 0,
    ) -> None:
        """Search from the inputs, and again from random points near them."""
        for restart in range(restarts):
            rows = smallest.unsettled()
            if not len(rows):
                break
            start = inputs[rows]
            if restart:
                reach = self.ball.eps if self.ball.is_bounded else self.ball.restart
                radius = smallest.distance[rows].clamp_max(reach) / 2
                offset = self.ball.with_eps(1).random(start, ids[rows], seeds.derive(seed, "fab", rank, restart))
                start = (start + per_example(radius, start).to(start.dtype) * offset).clamp(0, 1)
            self.run(model, smallest, rows, inputs[rows], labels[rows], others[rows], start)

    def run(
        self,
        model: nn.Module,
        smallest: Smallest,
        rows: Tensor,
        inputs: Tensor,
        labels: Tensor,
        others: Tensor,
        x: Tensor,
    ) -> None:
        """Search the boundary between `labels` and `others` from `x`, and let `smallest` see the iterates."""
        best = x.new_full((len(x),), torch.inf)
        stale = torch.zeros_like(rows)
        again = x.device.type == "cpu" and others.dim() == 1 and getattr(model, "calls", 1) == 1
        logits = None
        for step in range(self.steps):
            if not len(rows):
                break
            value, gradient = self._boundary(model, smallest, logits, x, labels, others)
            with torch.no_grad():
                x = self._project(x.detach(), inputs, value, gradient)
            if again:  # the next gradient is taken where these logits are, if x is not moved any more
                x.requires_grad_(True)
            logits = logits_of(model, x) if again else mean_logits(model, x)
            with torch.no_grad():
                success, distance = smallest.see(rows, x.detach(), logits.detach())
                closer = success & (distance < (1 - _PROGRESS) * best)
                best = torch.where(closer, distance, best)
                stale = torch.where(closer | best.isinf(), 0, stale + 1)
                if again and not (success | (stale >= self.patience)).any():
                    continue
                x, logits = torch.where(per_example(success, x), inputs + self.beta * (x - inputs), x), None
                if looks(step, x.device) and (left := smallest.left(rows, stale < self.patience)) is not None:
                    state = (rows, inputs, labels, others, x, best, stale)
                    rows, inputs, labels, others, x, best, stale = (each[left] for each in state)

    def _boundary(
        self, model: nn.Module, smallest: Smallest, logits: Tensor | None, x: Tensor, labels: Tensor, others: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The difference of logits that is to become positive, N, and its gradient in x.

        Parameters
        ----------
        logits : at x, with their graph, if they are known
        others : the class on the other side, N; or several, N×M, of whose boundaries the nearest is meant
        """

        def difference(logits: Tensor, labels: Tensor, others: Tensor) -> Tensor:
            if self.targeted:
                return smallest.strength(logits, labels)
            return (logits.gather(1, others[:, None]) - logits.gather(1, labels[:, None]))[:, 0]

        if others.dim() == 2:
            return nearest(model, x, labels, others, self.ball)[1:]
        if logits is None:
            _, value, gradient = gradient_of(model, x, difference, labels, others)
        else:
            value = difference(logits, labels, others)
            (gradient,) = torch.autograd.grad(value.sum(), x)
            went_back(model, x)
        return value.detach().to(x.dtype), gradient

    def _project(self, x: Tensor, inputs: Tensor, value: Tensor, gradient: Tensor) -> Tensor:
        """The next iterate: between the projections of `x` and of `inputs` onto the linearised boundary."""
        z, z_0, w = x.flatten(1), inputs.flatten(1), gradient.flatten(1)
        gaps = torch.cat((-value, (w * (z - z_0)).sum(1) - value))
        moves = to_hyperplane(torch.cat((z, z_0)), torch.cat((w, w)), gaps, self.ball)
        length, length_0 = self.ball.norm(moves)[:, None].chunk(2)
        alpha = (length / (length + length_0).clamp_min(_TINY)).clamp_max(self.alpha_max)
        move, move_0 = moves.chunk(2)
        mixed = (1 - alpha) * (z + self.eta * move) + alpha * (z_0 + self.eta * move_0)
        return mixed.clamp(0, 1).view_as(x)
