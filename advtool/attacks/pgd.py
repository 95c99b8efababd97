"""Projected gradient descent (Madry et al. 2018, https://arxiv.org/abs/1706.06083)."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn

from advtool import seeds
from advtool.attacks.guard import attack, logits_of, numbered
from advtool.attacks.losses import cross_entropy
from advtool.attacks.success import Strongest, confirmed, fooled
from advtool.ball import Ball
from advtool.errors import unknown

Keep = Literal["best", "last"]


@attack()
def pgd(
    model: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    ball: Ball,
    *,
    targeted: bool = False,
    steps: int = 50,
    step_size: float | None = None,
    random_start: bool | None = None,
    restarts: int = 1,
    keep: Keep | None = None,
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
    ball : around each input, such as ``L2(0.5)`` or ``Linf(8/255)``
    targeted : minimise the cross-entropy of `labels` instead
    steps : gradient steps of a run
    step_size : length of a step in the norm, on the [0, 1] pixel scale; 2.5·eps/steps by default
    random_start : begin at a random point of the ball instead of at the image. By default: in linf, but not in l2
    restarts : runs; all but the first begin at a random point
    keep : ``best`` returns the strongest iterate seen, for evaluation: a success if there was one, and of those
        the one of highest loss. ``last`` returns the last one, for training and for datasets. By default the last
        one if targeted, as the datasets of Ilyas et al. 2019 are made, else the best
    allowed : which iterates may count as a success: takes N×C×H×W, returns bool, N
    ids : N, int64; what the random start of each example is keyed by; its place in the batch by default
    seed : of the random starts
    amp : drive the attack in bfloat16. A success is one only if it is confirmed in float32

    Returns
    -------
    Tensor like `inputs`: in the ball around them, and in [0, 1]

    Raises
    ------
    AdvtoolError
        if the model returns logits that are not finite
    """
    asked = {"targeted": targeted, "steps": steps, "step_size": step_size, "random_start": random_start, "keep": keep}
    wanted = resolved(ball, asked)
    if wanted["keep"] not in ("best", "last"):
        raise unknown("iterate", wanted["keep"], ("best", "last"), parameter="keep")
    ids = numbered(inputs, ids)
    strongest = Strongest(inputs) if wanted["keep"] == "best" else None
    adversarial = inputs.clone()
    for restart in range(restarts):
        start = inputs.clone()
        if ball.eps > 0 and (wanted["random_start"] or restart):
            start = (inputs + ball.random(inputs, ids, seeds.derive(seed, "restart", restart))).clamp(0, 1)
        adversarial = ascend(
            model,
            inputs,
            labels,
            start,
            ball,
            steps=steps,
            step_size=wanted["step_size"],
            targeted=targeted,
            allowed=allowed,
            amp=amp,
            strongest=strongest,
        )
    return strongest.inputs if strongest else adversarial


def resolved(ball: Ball, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of `pgd`, with what depends on the others filled in where it is None."""
    defaults = {
        "step_size": 2.5 * ball.eps / max(options["steps"], 1),
        "random_start": ball.starts_at_random,
        "keep": "last" if options["targeted"] else "best",
    }
    return {name: defaults.get(name) if value is None else value for name, value in options.items()}


def ascend(
    model: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    adversarial: Tensor,
    ball: Ball,
    *,
    steps: int,
    step_size: float,
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

    def objective(x: Tensor) -> tuple[Tensor, Tensor]:
        logits = logits_of(model, x, amp)
        value, success = loss(logits, labels), fooled(logits, labels, targeted)
        if strongest and amp:
            success = confirmed(model, x.detach(), labels, success, targeted)
        if strongest and allowed:
            success &= allowed(x.detach())
        return -value if targeted else value, success

    for _ in range(steps if ball.eps > 0 else 0):
        adversarial.requires_grad_(True)
        value, success = objective(adversarial)
        (gradient,) = torch.autograd.grad(value.sum(), adversarial)
        with torch.no_grad():
            adversarial = adversarial.detach()
            if strongest:
                strongest.see(adversarial, value.detach(), success)
            delta = ball.project(adversarial + step_size * ball.step(gradient) - inputs)
            adversarial = (inputs + delta).clamp(0, 1)
    if strongest:
        with torch.no_grad():
            strongest.see(adversarial, *objective(adversarial))
    return adversarial
