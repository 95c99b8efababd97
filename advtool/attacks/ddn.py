"""Decoupled direction and norm (Rony et al. 2019, https://arxiv.org/abs/1811.09600)."""

import math

import torch
from torch import Tensor, nn

from advtool import keyed
from advtool.attacks.ball import BALLS
from advtool.attacks.guard import logits_of, untouched
from advtool.attacks.smallest import Smallest


def ddn(
    model: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    *,
    targeted: bool = False,
    steps: int = 100,
    gamma: float = 0.05,
    init_norm: float = 1.0,
    amp: bool = False,
) -> Tensor:
    """Look for the smallest l2 perturbation: steps along the gradient on a sphere that shrinks after each success.

    The images are not quantised to 8 bits.

    Parameters
    ----------
    model : takes pixels in [0, 1], N×C×H×W, returns logits; left exactly as it was found
    inputs : N×C×H×W in [0, 1]
    labels : N, int64; the true classes, or the targets if `targeted`
    targeted : look for the smallest perturbation that is classified as `labels` instead
    steps : gradient steps, of a size that falls from 1 to 0.01 along a cosine
    gamma : the sphere's radius is multiplied by 1 − gamma after a success, by 1 + gamma otherwise
    init_norm : its first radius
    amp : drive the attack in bfloat16; a success is confirmed in float32

    Returns
    -------
    Tensor like `inputs`, in [0, 1]: the smallest adversarial example seen, or the strongest iterate if there was none

    Raises
    ------
    AdvtoolError
        if the model returns logits that are not finite
    """
    ball = BALLS["l2"]
    with untouched(model):
        smallest = Smallest(model, inputs, labels, ball.norm, targeted=targeted, amp=amp)
        rows = smallest.beyond(0)
        x, y = inputs[rows], labels[rows]
        delta, epsilon = torch.zeros_like(x), x.new_full((len(x),), init_norm)
        farthest = ball.norm(torch.maximum(x, 1 - x))
        for k in range(steps if len(rows) else 0):
            adversarial = (x + delta).requires_grad_(True)
            logits = logits_of(model, adversarial, amp)
            loss = _log_odds(logits, y)
            (gradient,) = torch.autograd.grad((-loss if targeted else loss).sum(), adversarial)
            success, _ = smallest.see(rows, adversarial.detach(), logits.detach())
            alpha = 0.01 + 0.99 * (1 + math.cos(math.pi * k / steps)) / 2
            epsilon = torch.minimum(epsilon * torch.where(success, 1 - gamma, 1 + gamma), farthest)
            delta = epsilon.view(-1, *[1] * (x.dim() - 1)) * ball.step(delta + alpha * _direction(gradient))
            delta = (x + delta).clamp(0, 1) - x
        if len(rows):
            with torch.no_grad():
                smallest.see(rows, x + delta, logits_of(model, x + delta, amp))
    return smallest.inputs


def _log_odds(logits: Tensor, labels: Tensor) -> Tensor:
    """Log odds against the labels.

    The cross-entropy is its softplus, so their gradients have the same direction; this one's does not vanish where the
    softmax is saturated.
    """
    own = logits.gather(1, labels[:, None])[:, 0]
    return logits.scatter(1, labels[:, None], -torch.inf).logsumexp(1) - own


def _direction(gradient: Tensor) -> Tensor:
    """The gradient at length 1; where it is 0 a fixed direction, the same for every example."""
    unit = BALLS["l2"].step(gradient)
    ids = torch.zeros(1, dtype=torch.int64, device=gradient.device)
    fixed = BALLS["l2"].step(keyed.normal((1, *gradient.shape[1:]), ids, keyed.derive(0, "ddn")))
    stuck = (unit == 0).flatten(1).all(1).view(-1, *[1] * (gradient.dim() - 1))
    return torch.where(stuck, fixed.to(gradient.dtype), unit)
