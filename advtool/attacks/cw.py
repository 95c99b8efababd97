"""Carlini and Wagner's l2 attack (2017, https://arxiv.org/abs/1608.04644)."""

import torch
from torch import Tensor, nn

from advtool.attacks.guard import attack, gradient_of
from advtool.attacks.smallest import Smallest
from advtool.attacks.success import LOOKS, looks
from advtool.ball import L2, Ball, per_example
from advtool.prepared import plain

# Tenths of the steps without a fall after which an example stops. The original stops the whole batch at the first one
# in which the sum did not fall; for a single example that is too soon, since Adam overshoots at first.
_PATIENCE = 3

# Pixels of 0 and 1 are infinitely far out in the space of tanh. The original's 1 − 1e-6 leaves them so far out that
# 1000 steps of 0.01 hardly move them: of black and white digits nearly all then stop early, unbroken.
_INSIDE = 1 - 1e-4


@attack(minimal=True, only=L2)
def cw(
    model: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    ball: Ball,
    *,
    targeted: bool = False,
    steps: int = 1000,
    binary_search_steps: int = 9,
    learning_rate: float = 0.01,
    initial_const: float = 1e-3,
    confidence: float = 0.0,
    early_stop: bool = False,
    eot: int = 1,
    ids: Tensor | None = None,
    seed: int = 0,
    amp: bool = False,
) -> Tensor:
    """Look for the smallest l2 perturbation: Adam on ‖δ‖² + c·f in the space of tanh, for a c found by binary search.

    Parameters
    ----------
    model : takes pixels in [0, 1], N×C×H×W, returns logits; left exactly as it was found
    inputs : N×C×H×W in [0, 1]
    labels : N, int64; the true classes, or the targets if `targeted`
    ball : ``L2()``, or one that the result has to stay in
    targeted : look for the smallest perturbation that is classified as `labels` instead
    steps : of Adam for each c. An example stops early if its loss has not fallen by 0.01% in a tenth of them
    binary_search_steps : values of c tried
    learning_rate : of Adam
    initial_const : the first c; ten times as much after a failure, until there is a success
    confidence : by how much the logit of another class has to exceed that of the label (or the target's the others)
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
    smallest = Smallest(plain(model), inputs, labels, ball, targeted=targeted, enough=enough, confidence=confidence)
    c = inputs.new_full((len(inputs),), initial_const)
    low, high = torch.zeros_like(c), torch.full_like(c, torch.inf)
    for search in range(binary_search_steps):
        rows = smallest.unsettled()
        if not len(rows):
            break
        if search == binary_search_steps - 1 >= 9:
            c = torch.where(high.isfinite(), high, c)
        tried = c[rows]
        success = _descend(model, smallest, inputs, labels, rows, tried, steps, learning_rate, confidence)
        low[rows], high[rows] = torch.where(success, low[rows], tried), torch.where(success, tried, high[rows])
        c = torch.where(high.isfinite(), (low + high) / 2, 10 * c)
    return smallest.result()


def _descend(
    model: nn.Module,
    smallest: Smallest,
    inputs: Tensor,
    labels: Tensor,
    rows: Tensor,
    c: Tensor,
    steps: int,
    learning_rate: float,
    confidence: float,
) -> Tensor:
    """Minimise ‖δ‖² + c·f from the inputs numbered `rows`: which of them became adversarial on the way."""

    def lacking(logits: Tensor, labels: Tensor) -> Tensor:
        return (confidence - smallest.strength(logits, labels)).clamp_min(0)

    found = torch.zeros(len(rows), dtype=torch.bool, device=rows.device)
    place = torch.arange(len(rows), device=rows.device)
    x, y = inputs[rows], labels[rows]
    w = torch.atanh((2 * x - 1) * _INSIDE)
    first, second = torch.zeros_like(w), torch.zeros_like(w)
    previous, stuck = torch.full_like(c, torch.inf), torch.zeros_like(rows)
    period = max(steps // 10, 1 if rows.device.type == "cpu" else LOOKS)
    for k in range(steps):
        adversarial = (torch.tanh(w) + 1) / 2
        logits, f, uphill = gradient_of(model, adversarial, lacking, y)
        loss = (adversarial - x).square().flatten(1).sum(1) + c * f
        gradient = 2 * adversarial * (1 - adversarial) * (2 * (adversarial - x) + per_example(c, x) * uphill)
        success, _ = smallest.see(rows, adversarial, logits)
        found[place] |= success
        first, second = torch.lerp(gradient, first, 0.9), torch.lerp(gradient.square(), second, 0.999)
        step = first / (1 - 0.9 ** (k + 1)) / ((second / (1 - 0.999 ** (k + 1))).sqrt() + 1e-8)
        w = w - learning_rate * step
        judged = k % period == 0
        if judged:
            stuck = torch.where(loss <= 0.9999 * previous, 0, stuck + 1)
            previous = torch.minimum(previous, loss)
        if judged or (smallest.enough and looks(k, x.device)):
            if (left := smallest.left(rows, stuck < _PATIENCE)) is not None:
                state = (place, rows, y, c, x, w, first, second, previous, stuck)
                place, rows, y, c, x, w, first, second, previous, stuck = (each[left] for each in state)
            if not len(rows):
                break
    return found
