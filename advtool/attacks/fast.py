"""As much as AutoAttack finds, at a fraction of its passes.

The targets that are nearest once the network is linearised come first (MALT, Melamed et al. 2024,
https://arxiv.org/abs/2407.02240): of most images that can be broken one of the first few is enough. There are no
queries: where gradients are masked, the red flags say so. It is not AutoAttack, and is not called that.
"""

import math
from dataclasses import replace

import torch
from torch import Tensor, nn

from advtool import seeds
from advtool.attacks.apgd_search import Objective, Search
from advtool.attacks.boundaries import boundaries
from advtool.attacks.guard import attack, exact_logits, numbered, predictions_of
from advtool.attacks.losses import log_odds, margin, targeted_dlr, targeted_margin
from advtool.ball import Ball
from advtool.prepared import plain

_TINY = 1e-12


@attack()
def fast(
    model: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    ball: Ball,
    *,
    steps: int = 100,
    target_classes: int = 4,
    candidates: int = 20,
    eot: int = 1,
    ids: Tensor | None = None,
    seed: int = 0,
    amp: bool = False,
) -> Tensor:
    """A short run of Auto-PGD away from the label, then one towards each of the nearest classes by linearisation.

    Parameters
    ----------
    model, inputs, labels, ball, eot, ids, seed, amp : as of `apgd`
    steps : gradient steps towards the nearest class; a quarter of them away from the label before that, three
        quarters towards each of the other classes
    target_classes : how many of the classes to try whose logit differs least from the label's, in units of the dual
        norm of the difference of their gradients
    candidates : how many of the classes that are most likely at the inputs to look at for that

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
    search = Search(
        network=plain(model),
        inputs=inputs,
        labels=labels,
        ball=ball,
        steps=math.ceil(steps / 4),
        ids=numbered(inputs, ids),
        seed=seeds.derive(seed, "away"),
    )
    found = search.run(clean, [_away(labels)] if clean.shape[1] > 1 else [], rank=_away(labels))
    rows = _standing(model, found, labels)
    if clean.shape[1] < 3 or not len(rows) or ball.eps == 0:
        return found
    targets = labels[:, None].repeat(1, min(target_classes, clean.shape[1] - 1))
    looked_at = min(max(candidates, target_classes), clean.shape[1] - 1)
    ranked = _nearest(model, inputs[rows], labels[rows], clean[rows], ball, looked_at)
    targets[rows] = ranked[:, : targets.shape[1]]
    for name, count, some in ("nearest", steps, targets[:, :1]), ("others", math.ceil(3 * steps / 4), targets[:, 1:]):
        part = replace(search, inputs=inputs[rows], labels=labels[rows], ids=search.ids[rows])
        part = replace(part, steps=count, seed=seeds.derive(seed, name))
        result = part.run(clean[rows], _towards(part.labels, some[rows], clean.shape[1]), rank=_over(part.labels))
        found = found.index_copy(0, rows, result)
        rows = rows[_standing(model, result, part.labels)]
    return found


@torch.no_grad()
def _standing(model: nn.Module, found: Tensor, labels: Tensor) -> Tensor:
    """Places of what is still classified correctly."""
    return (predictions_of(model, found) == labels).nonzero()[:, 0]


def _away(labels: Tensor) -> Objective:
    return lambda logits, rows: log_odds(logits, labels[rows])


def _over(labels: Tensor) -> Objective:
    return lambda logits, rows: margin(logits, labels[rows])


def _towards(labels: Tensor, targets: Tensor, classes: int) -> list[Objective]:
    """An objective for each column of the targets, N×M."""
    function = targeted_dlr if classes >= 4 else targeted_margin

    def towards(to: Tensor) -> Objective:
        return lambda logits, rows: function(logits, labels[rows], to[rows])

    return [towards(to) for to in targets.unbind(1)]


def _nearest(model: nn.Module, x: Tensor, labels: Tensor, logits: Tensor, ball: Ball, count: int) -> Tensor:
    """The likeliest classes, those first whose boundaries are nearest by linearisation: N×count."""
    order = logits.scatter(1, labels[:, None], -torch.inf).sort(dim=1, descending=True, stable=True).indices
    likeliest = order[:, :count]
    _, values, gradients = boundaries(model, x, labels, likeliest)
    distances = [
        value.abs() / ball.dual(slope).clamp_min(_TINY) for value, slope in zip(values, gradients, strict=True)
    ]
    return likeliest.gather(1, torch.stack(distances, 1).sort(dim=1, stable=True).indices)
