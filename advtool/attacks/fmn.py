"""Fast minimum-norm attack (Pintor et al. 2021, https://arxiv.org/abs/2102.12827)."""

import math

import torch
from torch import Tensor, nn

from advtool.attacks.guard import attack, gradient_of, mean_logits
from advtool.attacks.smallest import Smallest
from advtool.attacks.success import looks
from advtool.ball import L2, Ball
from advtool.prepared import plain

_BISECTIONS = 10
_TINY = 1e-12


@attack(minimal=True)
def fmn(
    model: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    ball: Ball,
    *,
    targeted: bool = False,
    steps: int = 1000,
    alpha: float = 1.0,
    gamma: float = 0.05,
    early_stop: bool = False,
    eot: int = 1,
    ids: Tensor | None = None,
    seed: int = 0,
    amp: bool = False,
) -> Tensor:
    """Look for the smallest perturbation: steps up the margin in a ball that is as large as the boundary seems far.

    Parameters
    ----------
    model : takes pixels in [0, 1], N×C×H×W, returns logits; left exactly as it was found
    inputs : N×C×H×W in [0, 1]
    labels : N, int64; the true classes, or the targets if `targeted`
    ball : ``L2()``, ``Linf()``, ``L1()`` or ``L0()``, or one that the result has to stay in
    targeted : look for the smallest perturbation that is classified as `labels` instead
    steps : gradient steps
    alpha : length in l2 of the first; it falls to a hundredth along a cosine
    gamma : the ball's radius is multiplied by 1 − gamma after a success, by 1 + gamma otherwise; it falls to 0.001
        along the same cosine. In l0 the radius changes by 1 at least
    early_stop : leave an example alone once it is broken within the ball's radius, if it has one
    eot : calls whose mean gradient is followed (expectation over transformation), where the model is random
    ids, seed : of no effect, since nothing is random
    amp : drive the attack in bfloat16; a success is confirmed in float32

    Returns
    -------
    Tensor like `inputs`, in [0, 1]: the smallest adversarial example seen, or the strongest iterate if there was none

    Raises
    ------
    AdvtoolError
        if the model returns logits that are not finite
    """
    enough = ball.eps if early_stop and ball.is_bounded else 0.0
    smallest = Smallest(plain(model), inputs, labels, ball, targeted=targeted, enough=enough)
    rows = smallest.unsettled()
    x, y = inputs[rows], labels[rows]
    delta, best = torch.zeros_like(x), x.new_full((len(x),), torch.inf)
    radius = torch.full_like(best, torch.inf if ball.shrinks else 1.0)
    farthest = ball.norm(torch.maximum(x, 1 - x))
    for k in range(steps if len(rows) else 0):
        fall = (1 + math.cos(math.pi * k / steps)) / 2
        logits, value, gradient = gradient_of(model, x + delta, smallest.strength, y)
        success, distance = smallest.see(rows, x + delta, logits)
        best = torch.where(success, torch.minimum(best, distance), best)
        factor = gamma * fall + 0.001 * (1 - fall)
        radius = torch.minimum(_next(ball, radius, success, best, distance, value, gradient, factor), farthest)
        length = alpha * (fall + 0.01 * (1 - fall))
        delta = ball.inside(x + delta + length * L2().step(gradient), x, radius) - x
        if enough and looks(k, x.device) and (left := smallest.left(rows)) is not None:
            state = (rows, x, y, delta, best, radius, farthest)
            rows, x, y, delta, best, radius, farthest = (each[left] for each in state)
            if not len(rows):
                break
    if len(rows):
        smallest.see(rows, x + delta, mean_logits(model, x + delta))
    smallest.bisect(_BISECTIONS)
    return smallest.result()


def _next(
    ball: Ball,
    radius: Tensor,
    success: Tensor,
    best: Tensor,
    distance: Tensor,
    value: Tensor,
    gradient: Tensor,
    factor: float,
) -> Tensor:
    """The radius after a step, N: until there is a success, a little farther than the linearised boundary."""
    if not ball.shrinks:
        smaller = torch.minimum(radius - 1, (radius * (1 - factor)).floor())
        larger = torch.maximum(radius + 1, (radius * (1 + factor)).floor())
        return torch.where(success, torch.minimum(smaller, best), larger).clamp_min(0)
    guessed = (1 + factor) * (distance + value.abs() / ball.dual(gradient).clamp_min(_TINY))
    grown = torch.where(radius.isfinite(), radius * (1 + factor), 0)
    grown = torch.where(best.isfinite(), grown, torch.maximum(grown, guessed))
    return torch.where(success, torch.minimum(radius * (1 - factor), best), grown)
