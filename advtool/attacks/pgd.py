"""Projected gradient descent (Madry et al. 2018, https://arxiv.org/abs/1706.06083)."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from advtool import keyed
from advtool.attacks.ball import BALLS, contain
from advtool.attacks.guard import logits_of, untouched
from advtool.attacks.losses import cross_entropy
from advtool.attacks.success import Strongest, confirmed, fooled
from advtool.threat import Threat


def pgd(
    model: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    threat: Threat,
    *,
    targeted: bool = False,
    keep: str = "best",
    allowed: Callable[[Tensor], Tensor] | None = None,
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
    allowed : which iterates may count as a success: takes N×C×H×W, returns bool, N
    ids : N, int64; what the random start of each example is keyed by; its place in the batch by default
    seed : of the random starts
    amp : drive the attack in bfloat16. A success is one only if it is confirmed in float32

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
    strongest = Strongest(inputs) if keep == "best" else None
    adversarial = inputs.clone()
    with untouched(model):
        for restart in range(threat.restarts):
            start = inputs.clone()
            if threat.eps > 0 and (threat.random_start or restart):
                delta = BALLS[threat.norm].random(inputs, threat.eps, ids, keyed.derive(seed, "restart", restart))
                start = (inputs + delta).clamp(0, 1)
            adversarial = ascend(model, inputs, labels, start, threat, targeted, allowed, amp, strongest)
    return contain(BALLS[threat.norm], strongest.inputs if strongest else adversarial, inputs, threat.eps)


def ascend(
    model: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    adversarial: Tensor,
    threat: Threat,
    targeted: bool = False,
    allowed: Callable[[Tensor], Tensor] | None = None,
    amp: bool = False,
    strongest: Strongest | None = None,
    loss: Callable[[Tensor, Tensor], Tensor] = cross_entropy,
) -> Tensor:
    """The steps of one run of `pgd` from `adversarial`, which returns the last iterate and shows all to `strongest`.

    The model must be in eval mode and its parameters frozen already.

    Parameters
    ----------
    loss : what is maximised: takes logits N×K and labels N, returns N
    """
    ball = BALLS[threat.norm]

    def objective(x: Tensor) -> tuple[Tensor, Tensor]:
        logits = logits_of(model, x, amp)
        value, success = loss(logits, labels), fooled(logits, labels, targeted)
        if strongest and amp:
            success = confirmed(model, x.detach(), labels, success, targeted)
        if strongest and allowed:
            success &= allowed(x.detach())
        return -value if targeted else value, success

    for _ in range(threat.steps if threat.eps > 0 else 0):
        adversarial.requires_grad_(True)
        value, success = objective(adversarial)
        (gradient,) = torch.autograd.grad(value.sum(), adversarial)
        with torch.no_grad():
            adversarial = adversarial.detach()
            if strongest:
                strongest.see(adversarial, value.detach(), success)
            delta = ball.project(adversarial + threat.step_size * ball.step(gradient) - inputs, threat.eps)
            adversarial = (inputs + delta).clamp(0, 1)
    if strongest:
        with torch.no_grad():
            strongest.see(adversarial, *objective(adversarial))
    return adversarial
