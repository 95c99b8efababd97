"""Projected gradient descent (Madry et al. 2018, https://arxiv.org/abs/1706.06083)."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn

from advtool import seeds
from advtool.attacks.guard import attack, gradient_of, logits_of, numbered
from advtool.attacks.losses import cross_entropy
from advtool.attacks.success import Strongest, fooled, looks
from advtool.ball import Ball
from advtool.errors import unknown
from advtool.prepared import plain

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
    early_stop: bool = False,
    eot: int = 1,
    ids: Tensor | None = None,
    seed: int = 0,
    amp: bool = False,
) -> Tensor:
    """Maximise the cross-entropy of `labels` in a ball around `inputs` by steepest ascent.

    In l1 a step moves the 1% of the components of largest gradient (Maini et al. 2020,
    https://arxiv.org/abs/1909.04068).

    Parameters
    ----------
    model : takes pixels in [0, 1], N×C×H×W, returns logits; left exactly as it was found
    inputs : N×C×H×W in [0, 1]
    labels : N, int64; the true classes, or the targets if `targeted`
    ball : around each input, such as ``L2(0.5)`` or ``Linf(8/255)``
    targeted : minimise the cross-entropy of `labels` instead
    steps : gradient steps of a run
    step_size : length of a step in the norm, on the [0, 1] pixel scale; 2.5·eps/steps by default
    random_start : begin at a random point of the ball instead of at the image. By default: in linf alone
    restarts : runs; all but the first begin at a random point
    keep : ``best`` returns the strongest iterate seen, for evaluation: a success if there was one, and of those
        the one of highest loss. ``last`` returns the last one, for training and for datasets. By default the last
        one if targeted, as the datasets of Ilyas et al. 2019 are made, else the best
    early_stop : stop an example at its first success, with ``best``. Off, it goes on to the success of highest loss
    eot : calls whose mean gradient is followed (expectation over transformation), where the model is random
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
    strongest = Strongest(plain(model), inputs, labels, targeted, early_stop) if wanted["keep"] == "best" else None
    rows, adversarial = torch.arange(len(inputs), device=inputs.device), inputs.clone()
    for restart in range(restarts):
        if restart and strongest and early_stop:
            rows = strongest.remaining()
            if not len(rows):
                break
        start = inputs[rows]
        if ball.eps > 0 and (wanted["random_start"] or restart):
            start = (start + ball.random(start, ids[rows], seeds.derive(seed, "restart", restart))).clamp(0, 1)
        adversarial, _ = ascend(
            model,
            inputs[rows],
            labels[rows],
            start,
            ball,
            steps=steps,
            step_size=wanted["step_size"],
            targeted=targeted,
            strongest=strongest,
            rows=rows,
        )
    if not strongest:
        return adversarial
    strongest.settle()
    return strongest.inputs


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
    strongest: Strongest | None = None,
    rows: Tensor | None = None,
    loss: Callable[[Tensor, Tensor], Tensor] = cross_entropy,
) -> tuple[Tensor, Tensor]:
    """The steps of one run of `pgd` from `adversarial`, which shows all iterates to `strongest`.

    The model must be in eval mode and its parameters frozen already.

    Parameters
    ----------
    rows : places of the images in what `strongest` was made for; their own by default. If the first success counts
        there, images with one need not go on
    loss : what is maximised: takes logits N×K and labels N, returns N

    Returns
    -------
    (the last iterates, the `rows` that they are of: those that went on to the end)
    """
    rows = torch.arange(len(inputs), device=inputs.device) if rows is None else rows
    for step in range(steps if ball.eps > 0 else 0):
        logits, value, gradient = gradient_of(model, adversarial, loss, labels)
        with torch.no_grad():
            if strongest:
                _show(strongest, adversarial, logits, value, labels, rows, targeted)
            direction = ball.ascent(-gradient if targeted else gradient, adversarial)
            adversarial = ball.inside(adversarial + step_size * direction, inputs)
            if not (strongest and looks(step, inputs.device, strongest.early_stop)):
                continue
            if (left := strongest.left(rows)) is not None:
                adversarial, inputs, labels, rows = (each[left] for each in (adversarial, inputs, labels, rows))
                if not len(rows):
                    return adversarial, rows
    if strongest:
        with torch.no_grad():
            logits = logits_of(model, adversarial)
            _show(strongest, adversarial, logits, loss(logits, labels), labels, rows, targeted)
    return adversarial, rows


def _show(
    strongest: Strongest,
    x: Tensor,
    logits: Tensor,
    value: Tensor,
    labels: Tensor,
    rows: Tensor,
    targeted: bool,
) -> None:
    success = fooled(logits, labels, targeted)
    strongest.see(x, (-value if targeted else value).detach(), success, rows)
