"""SuperDeepFool (Abdollahpoor et al. 2023, https://arxiv.org/abs/2303.12481), the variant SDF(∞, 1)."""

import torch
from torch import Tensor, nn

from advtool.attacks.boundaries import nearest
from advtool.attacks.guard import attack
from advtool.attacks.smallest import Smallest
from advtool.attacks.success import looks
from advtool.ball import L2, Ball, per_example
from advtool.prepared import plain

_BISECTIONS = 10
_BEYOND = 1e-4
"""How much farther than to the linearised boundary a step goes besides, so that a curved one is reached."""
_TINY = 1e-12


@attack(minimal=True, only=L2)
def sdf(
    model: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    ball: Ball,
    *,
    steps: int = 100,
    patience: int = 5,
    target_classes: int = 9,
    overshoot: float = 0.02,
    early_stop: bool = False,
    eot: int = 1,
    ids: Tensor | None = None,
    seed: int = 0,
    amp: bool = False,
) -> Tensor:
    """Look for the smallest l2 perturbation: to the nearest boundary by DeepFool, then along that boundary towards the
    input, in turn.

    Parameters
    ----------
    model : takes pixels in [0, 1], N×C×H×W, returns logits; left exactly as it was found
    inputs : N×C×H×W in [0, 1]
    labels : N, int64; the true classes
    ball : ``L2()``, or one that the result has to stay in
    steps : steps of both kinds, at most
    patience : leave an example when its distance, once there is one, has not fallen by 0.1% in so many steps, besides
        where a step along the boundary ends in an adversarial example, as published
    target_classes : of the likeliest classes whose boundaries DeepFool looks at
    overshoot : how much farther than to the linearised boundary a step of DeepFool goes
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
    smallest = Smallest(plain(model), inputs, labels, ball, enough=enough)
    rows = smallest.unsettled()
    order = smallest.clean_logits.scatter(1, labels[:, None], -torch.inf).argsort(1, descending=True)
    others = order[rows, :-1][:, :target_classes]
    x, y = inputs[rows], labels[rows]
    z, best, stale = x, x.new_full((len(x),), torch.inf), torch.zeros_like(rows)
    along = torch.zeros_like(best, dtype=torch.bool)
    for k in range(steps if len(rows) else 0):
        logits, value, gradient = nearest(model, z, y, others, ball)
        success, distance = smallest.see(rows, z, logits)
        closer = success & (distance < (1 - 1e-3) * best)
        best = torch.where(closer, distance, best)
        stale = torch.where(closer | best.isinf(), 0, stale + 1)
        going = ~(success & along) & (stale < patience)
        along = success
        square = gradient.flatten(1).square().sum(1).clamp_min(_TINY)
        onto = per_example((gradient * (z - x)).flatten(1).sum(1) / square, x) * gradient
        over = per_example((1 + overshoot) * (value.abs() / square + _BEYOND / square.sqrt()), x) * gradient
        z = torch.where(per_example(success, x), x + onto, z + over).clamp(0, 1)
        if looks(k, x.device) and (left := smallest.left(rows, going)) is not None:
            state = (rows, x, y, others, z, best, stale, along)
            rows, x, y, others, z, best, stale, along = (each[left] for each in state)
            if not len(rows):
                break
    smallest.bisect(_BISECTIONS)
    return smallest.result()
