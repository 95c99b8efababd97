"""Decoupled direction and norm (Rony et al. 2019, https://arxiv.org/abs/1811.09600)."""

import math

import torch
from torch import Tensor, nn

from advtool import keyed, seeds
from advtool.attacks.guard import attack, gradient_of, logits_of
from advtool.attacks.losses import log_odds
from advtool.attacks.smallest import Smallest
from advtool.attacks.success import looks
from advtool.ball import L2, Ball, per_example
from advtool.prepared import plain


@attack(minimal=True, only=L2)
def ddn(
    model: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    ball: Ball,
    *,
    targeted: bool = False,
    steps: int = 1000,
    gamma: float = 0.05,
    init_norm: float = 1.0,
    early_stop: bool = False,
    eot: int = 1,
    ids: Tensor | None = None,
    seed: int = 0,
    amp: bool = False,
) -> Tensor:
    """Look for the smallest l2 perturbation: steps along the gradient on a sphere that shrinks after each success.

    The images are not quantised to 8 bits.

    Parameters
    ----------
    model : takes pixels in [0, 1], N×C×H×W, returns logits; left exactly as it was found
    inputs : N×C×H×W in [0, 1]
    labels : N, int64; the true classes, or the targets if `targeted`
    ball : ``L2()``, or one that the result has to stay in
    targeted : look for the smallest perturbation that is classified as `labels` instead
    steps : gradient steps, of a size that falls from 1 to 0.01 along a cosine
    gamma : the sphere's radius is multiplied by 1 − gamma after a success, by 1 + gamma otherwise
    init_norm : its first radius
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
    delta, epsilon = torch.zeros_like(x), x.new_full((len(x),), init_norm)
    farthest = ball.norm(torch.maximum(x, 1 - x))
    fixed = _fixed(x, ball)
    for k in range(steps if len(rows) else 0):
        logits, _, gradient = gradient_of(model, x + delta, log_odds, y)
        gradient = -gradient if targeted else gradient
        success, _ = smallest.see(rows, x + delta, logits)
        alpha = 0.01 + 0.99 * (1 + math.cos(math.pi * k / steps)) / 2
        epsilon = torch.minimum(epsilon * (1 + gamma - 2 * gamma * success), farthest)
        delta = per_example(epsilon, x) * ball.step(delta + alpha * _direction(gradient, fixed, ball))
        delta = (x + delta).clamp(0, 1) - x
        if enough and looks(k, x.device) and (left := smallest.left(rows)) is not None:
            rows, x, y, delta, epsilon, farthest = (each[left] for each in (rows, x, y, delta, epsilon, farthest))
            if not len(rows):
                break
    if len(rows):
        with torch.no_grad():
            smallest.see(rows, x + delta, logits_of(model, x + delta))
    return smallest.result()


def _direction(gradient: Tensor, fixed: Tensor, ball: Ball) -> Tensor:
    """The gradient at length 1; where it is 0 a fixed direction, the same for every example."""
    unit = ball.step(gradient)
    stuck = per_example((unit == 0).flatten(1).all(1), gradient)
    return torch.where(stuck, fixed, unit)


def _fixed(like: Tensor, ball: Ball) -> Tensor:
    """A random direction of length 1."""
    ids = torch.zeros(1, dtype=torch.int64, device=like.device)
    return ball.step(keyed.normal((1, *like.shape[1:]), ids, seeds.derive(0, "ddn"))).to(like.dtype)
