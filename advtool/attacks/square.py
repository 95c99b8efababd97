"""Square Attack (Andriushchenko et al. 2020, https://arxiv.org/abs/1912.00049): random search, without gradients."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from advtool import keyed, seeds
from advtool.attacks.guard import attack, logits_of, numbered
from advtool.attacks.losses import margin
from advtool.attacks.square_moves import Moves, moves_of
from advtool.attacks.success import Strongest, confirmed, fooled
from advtool.ball import Ball, per_example

_DRAWN_AT_ONCE = 64
# The share p of pixels that a square covers is halved at these queries out of 10,000.
_HALVED_AT = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)


@attack()
def square(
    model: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    ball: Ball,
    *,
    steps: int = 5000,
    p_init: float = 0.8,
    restarts: int = 1,
    targeted: bool = False,
    ids: Tensor | None = None,
    seed: int = 0,
    amp: bool = False,
) -> Tensor:
    """Raise the margin of other classes over `labels` by changes in random squares, keeping those that help.

    Parameters
    ----------
    model : takes pixels in [0, 1], N×C×H×W, returns logits; left exactly as it was found
    inputs : N×C×H×W in [0, 1]
    labels : N, int64; the true classes, or the targets if `targeted`
    ball : around each input: ``L2(0.5)`` or ``Linf(8/255)``
    steps : queries of the model, at most, for an example and a restart; one more looks at the inputs. An example is
        dropped at its first success
    p_init : share of the pixels that the first squares cover
    restarts : runs, each from another random start
    targeted : raise the margin of `labels` over the other classes instead
    ids : N, int64; what the random numbers of each example are keyed by; its place in the batch by default
    seed : of the random numbers
    amp : drive the attack in bfloat16. A success is one only if it is confirmed in float32

    Returns
    -------
    Tensor like `inputs`: the strongest iterate seen, in the ball around them, and in [0, 1]. The inputs count as seen

    Raises
    ------
    AdvtoolError
        if the model returns logits that are not finite
    """
    ids, strongest, moves = numbered(inputs, ids), Strongest(inputs), moves_of(ball)

    def look(x: Tensor, labels: Tensor, amp: bool = amp) -> tuple[Tensor, Tensor]:
        logits = logits_of(model, x, amp)
        loss, success = margin(logits, labels), fooled(logits, labels, targeted)
        return -loss if targeted else loss, confirmed(model, x, labels, success, targeted) if amp else success

    with torch.inference_mode():
        loss, success = look(inputs, labels, amp=False)
        strongest.see(inputs, loss, success)
        one_class = loss.isinf().all()
        for restart in range(0 if ball.eps == 0 or steps == 0 or one_class else restarts):
            derived = seeds.derive(seed, "restart", restart)
            _search(look, strongest, inputs, labels, moves, ball.eps, steps, p_init, ids, derived)
    return strongest.inputs


def _search(
    look: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]],
    strongest: Strongest,
    inputs: Tensor,
    labels: Tensor,
    moves: Moves,
    eps: float,
    steps: int,
    p_init: float,
    ids: Tensor,
    seed: int,
) -> None:
    """One run of Algorithm 1 on all examples without a success."""
    rows = strongest.remaining()
    inputs, labels, ids = inputs[rows], labels[rows], ids[rows]
    _, channels, height, width = inputs.shape
    u = inputs.new_empty(len(rows), 0)
    x = moves.start(inputs, eps, ids, seeds.derive(seed, "start"))
    best, success = look(x, labels)
    for query in range(steps - 1):
        if success.any():
            strongest.see(x, best, success, rows)
            left = ~success
            rows, inputs, labels, ids, u, x, best = (t[left] for t in (rows, inputs, labels, ids, u, x, best))
        if not len(rows):
            return
        if query % _DRAWN_AT_ONCE == 0:
            shape = (len(rows), _DRAWN_AT_ONCE, moves.numbers(channels))
            u = keyed.uniform(shape, ids, seeds.derive(seed, "queries from", query))
        p = p_init / 2 ** sum(int(query / steps * 10_000) > at for at in _HALVED_AT)
        h = moves.side(p * height * width, min(height, width))
        tried = moves.propose(inputs, x, eps, h, u[:, query % _DRAWN_AT_ONCE])
        loss, success = look(tried, labels)
        better = success | (loss > best)
        x = torch.where(per_example(better, x), tried, x)
        best = torch.where(better, loss, best)
    strongest.see(x, best, success, rows)
