"""σ-zero (Cinà et al. 2024, https://arxiv.org/abs/2402.01879): the fewest components that have to change."""

import math

import torch
from torch import Tensor, nn

from advtool.attacks.guard import attack, gradient_of
from advtool.attacks.smallest import Smallest
from advtool.attacks.success import looks
from advtool.ball import L0, Ball, Linf, per_example
from advtool.prepared import plain

_TINY = 1e-12


@attack(minimal=True, only=L0)
def sigma_zero(
    model: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    ball: Ball,
    *,
    targeted: bool = False,
    steps: int = 1000,
    learning_rate: float = 1.0,
    sigma: float = 1e-3,
    threshold: float = 0.3,
    threshold_step: float = 0.01,
    early_stop: bool = False,
    eot: int = 1,
    ids: Tensor | None = None,
    seed: int = 0,
    amp: bool = False,
) -> Tensor:
    """Look for the smallest l0 perturbation: Adam on the margin and a smooth count of components.

    Components that are small are set back after each step.

    Parameters
    ----------
    model : takes pixels in [0, 1], N×C×H×W, returns logits; left exactly as it was found
    inputs : N×C×H×W in [0, 1]
    labels : N, int64; the true classes, or the targets if `targeted`
    ball : ``L0()``, or one that the result has to stay in
    targeted : look for the smallest perturbation that is classified as `labels` instead
    steps : of Adam, on gradients that are scaled to a largest component of 1
    learning_rate : of Adam; it falls to a tenth along a cosine
    sigma : a component δ counts as δ²/(δ² + sigma)
    threshold : below it components are set back, at first; it grows by `threshold_step` times the learning rate after a
        success, and falls by that otherwise
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
    delta, first, second = (torch.zeros_like(x) for _ in range(3))
    floor = x.new_full((len(x),), threshold)

    def lacking(logits: Tensor, labels: Tensor) -> Tensor:
        return (-smallest.strength(logits, labels)).clamp_min(0)

    for k in range(steps if len(rows) else 0):
        rate = learning_rate * (0.1 + 0.9 * (1 + math.cos(math.pi * k / steps)) / 2)
        logits, _, gradient = gradient_of(model, x + delta, lacking, y)
        success, _ = smallest.see(rows, x + delta, logits)
        square = delta.square()
        gradient = gradient + 2 * delta * sigma / (square + sigma).square() / delta[0].numel()
        gradient = gradient / per_example(Linf().norm(gradient), x).clamp_min(_TINY)
        first, second = torch.lerp(gradient, first, 0.9), torch.lerp(gradient.square(), second, 0.999)
        step = first / (1 - 0.9 ** (k + 1)) / ((second / (1 - 0.999 ** (k + 1))).sqrt() + 1e-8)
        moved = (x + delta - rate * step).clamp(0, 1) - x
        floor = (floor + threshold_step * rate * torch.where(success, 1.0, -1.0)).clamp(0, 1)
        delta = torch.where(moved.abs() < per_example(floor, x), 0, moved)
        if enough and looks(k, x.device) and (left := smallest.left(rows)) is not None:
            rows, x, y, delta, first, second, floor = (each[left] for each in (rows, x, y, delta, first, second, floor))
            if not len(rows):
                break
    return smallest.result()
