"""Projected gradient descent (Madry et al. 2018, https://arxiv.org/abs/1706.06083)."""

import torch
from torch import Tensor, nn

from advtool import keyed
from advtool.attacks.ball import BALLS, contain
from advtool.attacks.guard import logits_of, untouched
from advtool.attacks.losses import cross_entropy
from advtool.attacks.success import Strongest, fooled
from advtool.threat import Threat


def pgd(
    model: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    threat: Threat,
    *,
    targeted: bool = False,
    keep: str = "best",
    ids: Tensor | None = None,
    seed: int = 0,
    amp: bool = False,
) -> Tensor:
    """Maximise the cross-entropy of `labels` in a ball around `inputs` by steepest ascent.

    Parameters
    ----------
    model : takes pixels in [0, 1], N×C×H×W, returns logits; left exactly as it was found
    inputs : N×C×H×W in [0, 1]
    labels : N, int64; the true classes, or the targets if `targeted`
    threat : norm, radius and PGD settings
    targeted : minimise the cross-entropy of `labels` instead
    keep : ``best`` returns the strongest iterate seen, for evaluation: a success if there was one, and of those
        the one of highest loss. ``last`` returns the last one, for training and for datasets
    ids : N, int64; what the random start of each example is keyed by; its place in the batch by default
    seed : of the random starts
    amp : drive the attack in bfloat16. What counts as success is then for the caller to decide in float32

    Returns
    -------
    Tensor like `inputs`: within eps of them in the norm, and in [0, 1]

    Raises
    ------
    AdvtoolError
        if the model returns logits that are not finite
    """
    if keep not in ("best", "last"):
        raise ValueError("keep must be 'best' or 'last'")
    ids = torch.arange(len(inputs), device=inputs.device) if ids is None else ids
    tracker = Strongest(inputs) if keep == "best" else None
    adversarial = inputs.clone()
    with untouched(model):
        for restart in range(threat.restarts):
            start = inputs.clone()
            if threat.eps > 0 and (threat.random_start or restart):
                delta = BALLS[threat.norm].random(inputs, threat.eps, ids, keyed.derive(seed, "restart", restart))
                start = (inputs + delta).clamp(0, 1)
            adversarial = _ascend(model, inputs, labels, start, threat, targeted, amp, tracker)
    return contain(BALLS[threat.norm], tracker.inputs if tracker else adversarial, inputs, threat.eps)


def _ascend(
    model: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    adversarial: Tensor,
    threat: Threat,
    targeted: bool,
    amp: bool,
    tracker: Strongest | None,
) -> Tensor:
    ball = BALLS[threat.norm]
    for _ in range(threat.steps if threat.eps > 0 else 0):
        adversarial.requires_grad_(True)
        loss, success = _objective(model, adversarial, labels, targeted, amp)
        (gradient,) = torch.autograd.grad(loss.sum(), adversarial)
        with torch.no_grad():
            adversarial = adversarial.detach()
            if tracker:
                tracker.see(adversarial, loss.detach(), success)
            delta = ball.project(adversarial + threat.step_size * ball.step(gradient) - inputs, threat.eps)
            adversarial = (inputs + delta).clamp(0, 1)
    if tracker:
        with torch.no_grad():
            tracker.see(adversarial, *_objective(model, adversarial, labels, targeted, amp))
    return adversarial


def _objective(model: nn.Module, x: Tensor, labels: Tensor, targeted: bool, amp: bool) -> tuple[Tensor, Tensor]:
    """(what to maximise, whether the attack has succeeded), each N."""
    logits = logits_of(model, x, amp)
    loss = cross_entropy(logits, labels)
    return -loss if targeted else loss, fooled(logits, labels, targeted)
