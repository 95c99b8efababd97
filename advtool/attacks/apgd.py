"""Auto-PGD (Croce and Hein 2020, https://arxiv.org/abs/2003.01690): PGD that finds its own step size.

The algorithm itself is in `apgd_search`.
"""

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn

from advtool.attacks.apgd_search import Objective, Search
from advtool.attacks.guard import attack, exact_logits, numbered
from advtool.attacks.losses import cross_entropy, dlr, log_odds, margin, targeted_dlr, targeted_margin
from advtool.ball import Ball
from advtool.errors import UsageError, unknown
from advtool.prepared import plain

Loss = Literal["ce", "dlr", "margin"]
LOSSES = {"ce": log_odds, "dlr": dlr, "margin": margin}  # log_odds makes the same steps as the cross-entropy


@attack()
def apgd(
    model: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    ball: Ball,
    *,
    steps: int = 100,
    restarts: int = 1,
    loss: Loss = "ce",
    targeted: bool = False,
    rho: float = 0.75,
    early_stop: bool = True,
    eot: int = 1,
    ids: Tensor | None = None,
    seed: int = 0,
    amp: bool = False,
) -> Tensor:
    """Maximise a loss of `labels` in a ball around `inputs`, with momentum and a step size that halves when stuck.

    Parameters
    ----------
    model : takes pixels in [0, 1], N×C×H×W, returns logits; left exactly as it was found
    inputs : N×C×H×W in [0, 1]
    labels : N, int64; the true classes, or the targets if `targeted`
    ball : around each input, such as ``L2(0.5)`` or ``Linf(8/255)``
    steps : gradient steps of a run
    restarts : runs, each from a random point on the sphere
    loss : ``ce``, ``dlr`` (margin if there are fewer than three classes; untargeted only) or ``margin``
    targeted : minimise the loss of `labels` instead
    rho : the step size halves if a smaller share of the steps since the last checkpoint raised the loss
    early_stop : stop an example at its first success. Off, it goes on to the success of highest loss
    eot : calls whose mean gradient is followed (expectation over transformation), where the model is random
    ids : N, int64; what the random starts of each example are keyed by; its place in the batch by default
    seed : of the random starts
    amp : drive the attack in bfloat16. A success is one only if it is confirmed in float32

    Returns
    -------
    Tensor like `inputs`: the strongest iterate seen, in the ball around them, and in [0, 1]. The inputs count as seen

    Raises
    ------
    AdvtoolError
        if the model returns logits that are not finite
    """
    resolved(ball, {"loss": loss, "targeted": targeted})
    with torch.no_grad():
        clean = exact_logits(model, inputs)
    classes = clean.shape[1]
    function = LOSSES["margin" if loss == "dlr" and classes < 3 else loss]
    if function is log_odds and plain(model).averages:
        function = cross_entropy  # their means differ

    def objective(logits: Tensor, rows: Tensor) -> Tensor:
        value = function(logits, labels[rows])
        return -value if targeted else value

    search = Search(
        network=plain(model),
        inputs=inputs,
        labels=labels,
        ball=ball,
        steps=steps,
        rho=rho,
        targeted=targeted,
        early_stop=early_stop,
        ids=numbered(inputs, ids),
        seed=seed,
    )
    return search.run(clean, [objective] * restarts if classes > 1 else [], rank=objective)


def resolved(ball: Ball, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of `apgd`, which must go together.

    Raises
    ------
    UsageError
        if they do not
    """
    if options["loss"] not in LOSSES:
        raise unknown("loss", options["loss"], LOSSES, parameter="loss")
    if options["targeted"] and options["loss"] == "dlr":
        message = "towards a target it needs the true classes too: take another loss, or apgd-t"
        raise UsageError(message, parameter="loss", value="dlr")
    return dict(options)


@attack()
def apgd_t(
    model: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    ball: Ball,
    *,
    steps: int = 100,
    target_classes: int = 9,
    restarts: int = 1,
    eot: int = 1,
    ids: Tensor | None = None,
    seed: int = 0,
    amp: bool = False,
) -> Tensor:
    """Auto-PGD towards each of the most likely wrong classes in turn, on the targeted DLR loss.

    Parameters
    ----------
    model, inputs, labels, ball, steps, eot, ids, seed, amp : as of `apgd`
    target_classes : how many of the classes that are most likely at the inputs to try
    restarts : runs towards each class

    Returns
    -------
    Tensor like `inputs`: the strongest iterate seen (of the failures the one of highest margin), in the ball
    around them, and in [0, 1]. The inputs count as seen

    Raises
    ------
    AdvtoolError
        if the model returns logits that are not finite
    """
    with torch.no_grad():
        clean = exact_logits(model, inputs)
    function = targeted_dlr if clean.shape[1] >= 4 else targeted_margin
    others = clean.scatter(1, labels[:, None], -torch.inf)
    likeliest = others.sort(dim=1, descending=True, stable=True).indices[:, : min(target_classes, clean.shape[1] - 1)]

    def towards(targets: Tensor) -> Objective:
        return lambda logits, rows: function(logits, labels[rows], targets[rows])

    objectives = [towards(targets) for targets in likeliest.unbind(1) for _ in range(restarts)]
    search = Search(
        network=plain(model),
        inputs=inputs,
        labels=labels,
        ball=ball,
        steps=steps,
        ids=numbered(inputs, ids),
        seed=seed,
    )
    return search.run(clean, objectives, rank=lambda logits, rows: margin(logits, labels[rows]))
