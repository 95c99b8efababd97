"""Square Attack (Andriushchenko et al. 2020, https://arxiv.org/abs/1912.00049): random search, without gradients."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from advtool import keyed, seeds
from advtool.attacks.guard import attack, exact_logits, logits_of, numbered
from advtool.attacks.losses import margin
from advtool.attacks.square_moves import Moves, moves_of
from advtool.attacks.success import LOOKS, Strongest, fooled
from advtool.ball import Ball, per_example
from advtool.prepared import plain

_DRAWN_AT_ONCE, _LOOKS_ON_CPU = 64, 4
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
    ids, moves = numbered(inputs, ids), moves_of(ball)
    network = plain(model)
    strongest = Strongest(network, inputs, labels, targeted, early_stop=True)

    def look(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        loss = margin(logits, labels)
        return -loss if targeted else loss, fooled(logits, labels, targeted)

    def ask(x: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        loss, success = look(logits_of(model, x), labels)
        return loss, network.counted(success, x, labels)

    with torch.inference_mode():
        clean = exact_logits(model, inputs)
        strongest.see(inputs, *look(clean, labels), exact=True)
        for restart in range(0 if ball.eps == 0 or steps == 0 or clean.shape[1] == 1 else restarts):
            derived = seeds.derive(seed, "restart", restart)
            query = _Query(ask, steps, p_init)
            query.search(strongest, inputs, labels, moves, ball.eps, ids, derived)
        strongest.settle()
    return strongest.inputs


@dataclass(frozen=True)
class _Query:
    """The search of one run, as `square` was asked for it.

    Attributes
    ----------
    look : (loss to maximise, whether it is a success) of images and their labels
    """

    look: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
    steps: int
    p_init: float

    def search(
        self,
        strongest: Strongest,
        inputs: Tensor,
        labels: Tensor,
        moves: Moves,
        eps: float,
        ids: Tensor,
        seed: int,
    ) -> None:
        """One run of Algorithm 1 on all examples without a success."""
        rows = strongest.remaining()
        if not len(rows):
            return
        inputs, labels, ids = inputs[rows], labels[rows], ids[rows]
        _, channels, height, width = inputs.shape
        u = inputs.new_empty(len(rows), 0)
        x = moves.start(inputs, eps, ids, seeds.derive(seed, "start"))
        best, won = self.look(x, labels)
        for query in range(self.steps - 1):
            if _looks(query, x.device):
                strongest.see(x, best, won, rows)
                if (left := strongest.left(rows)) is not None:
                    state = (rows, inputs, labels, ids, u, x, best, won)
                    rows, inputs, labels, ids, u, x, best, won = (each[left] for each in state)
            if not len(rows):
                return
            if query % _DRAWN_AT_ONCE == 0:
                shape = (len(rows), _DRAWN_AT_ONCE, moves.numbers(channels))
                u = keyed.uniform(shape, ids, seeds.derive(seed, "queries from", query))
            p = self.p_init / 2 ** sum(int(query / self.steps * 10_000) > at for at in _HALVED_AT)
            h = moves.side(p * height * width, min(height, width))
            tried = moves.propose(inputs, x, eps, h, u[:, query % _DRAWN_AT_ONCE])
            loss, success = self.look(tried, labels)
            better = success | (loss > best)
            x = torch.where(per_example(better, x), tried, x)
            best, won = torch.where(better, loss, best), torch.where(better, success, won)
        strongest.see(x, best, won, rows)


def _looks(query: int, device: torch.device) -> bool:
    """Whether to look before this query who is done: on a CPU before every fourth, else before every 16th."""
    return query % (_LOOKS_ON_CPU if device.type == "cpu" else LOOKS) == 0
