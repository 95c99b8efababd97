"""The fast gradient sign method (Goodfellow et al. 2015, https://arxiv.org/abs/1412.6572), in either norm."""

import torch
from torch import Tensor, nn

from advtool import keyed
from advtool.attacks.ball import BALLS, contain
from advtool.attacks.guard import logits_of, untouched
from advtool.attacks.losses import log_odds


def fgsm(
    model: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    norm: str,
    eps: float,
    *,
    targeted: bool = False,
    random_start: bool = False,
    ids: Tensor | None = None,
    seed: int = 0,
    amp: bool = False,
) -> Tensor:
    """Increase the cross-entropy of `labels` by one step of length `eps`.

    Parameters
    ----------
    model : takes pixels in [0, 1], N×C×H×W, returns logits; left exactly as it was found
    inputs : N×C×H×W in [0, 1]
    labels : N, int64; the true classes, or the targets if `targeted`
    norm, eps : ``l2`` or ``linf``, and the radius
    targeted : decrease the cross-entropy of `labels` instead
    random_start : take the gradient at a random point of the ball, make a step of 1.25·eps from there and project
        (FGSM-RS, Wong et al. 2020, https://arxiv.org/abs/2001.03994)
    ids : N, int64; what the random start of each example is keyed by; its place in the batch by default
    seed : of the random starts
    amp : take the gradient in bfloat16

    Returns
    -------
    Tensor like `inputs`: within eps of them in the norm, and in [0, 1]. The step is the attack: whether it succeeded
    is not looked at

    Raises
    ------
    AdvtoolError
        if the model returns logits that are not finite
    """
    ball, inputs = BALLS[norm], inputs.detach()
    ids = torch.arange(len(inputs), device=inputs.device) if ids is None else ids
    x, alpha = inputs.clone(), eps
    if random_start and eps > 0:
        x, alpha = (inputs + ball.random(inputs, eps, ids, keyed.derive(seed, "start"))).clamp(0, 1), 1.25 * eps
    with untouched(model), torch.enable_grad():
        x.requires_grad_(True)
        loss = log_odds(logits_of(model, x, amp), labels)
        (gradient,) = torch.autograd.grad(-loss.sum() if targeted else loss.sum(), x)
    x = x.detach()
    if eps > 0:
        x = (inputs + ball.project(x + alpha * ball.step(gradient) - inputs, eps)).clamp(0, 1)
    return contain(ball, x, inputs, eps)
