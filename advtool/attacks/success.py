"""What counts as a success, and the strongest iterate of each example."""

import torch
from torch import Tensor

from advtool.attacks.guard import exact_logits
from advtool.attacks.losses import margin
from advtool.ball import per_example
from advtool.prepared import Network

LOOKS = 16
"""Steps between two looks at what is on a GPU: each look waits for it."""

_WORTH_LEAVING = 15 / 16


def fooled(logits: Tensor, labels: Tensor, targeted: bool = False) -> Tensor:
    """Whether the prediction is clearly not the label, or clearly the target: bool, N.

    Clearly is by more than rounding, since the same images in another batch give slightly other logits.
    """
    lead = margin(logits.detach(), labels)
    rounding = 16 * torch.finfo(logits.dtype).eps * logits.detach().abs().amax(1)
    return (-lead if targeted else lead) > rounding


def looks(step: int, device: torch.device, early_stop: bool = True) -> bool:
    """Whether to look after this step, counted from 0: every 16 steps; always on a CPU, if the first success counts."""
    return step % LOOKS == LOOKS - 1 or (early_stop and device.type == "cpu")


class Strongest:
    """The strongest iterate of each example: success comes before loss.

    Where the network is only nearly the model, its successes are claims: `settle` has the model itself confirm the
    strongest one of each example since the last time.

    Parameters
    ----------
    early_stop : the first success of an example is enough

    Attributes
    ----------
    inputs : N×C×H×W, the iterates
    success : bool, N; those that are confirmed
    """

    def __init__(
        self, network: Network, inputs: Tensor, labels: Tensor, targeted: bool = False, early_stop: bool = False
    ):
        self._network, self._labels = network, labels
        self._targeted, self.early_stop = targeted, early_stop
        self.inputs = inputs.clone()
        self.success = torch.zeros(len(inputs), dtype=torch.bool, device=inputs.device)
        self._loss = torch.full((len(inputs),), -torch.inf, dtype=inputs.dtype, device=inputs.device)
        self._claimed = inputs.clone() if network.approximate else inputs
        self._claim, self._refuted = self._loss.clone(), self._loss.clone()

    def see(
        self, x: Tensor, loss: Tensor, success: Tensor, rows: Tensor | slice = slice(None), exact: bool = False
    ) -> None:
        """Show one iterate of each of the examples `rows`, with the loss to maximise.

        Parameters
        ----------
        exact : these are the model's own logits' loss and success
        """
        loss = loss.to(self._loss.dtype)
        success = self._network.counted(success, x, self._labels[rows])
        if self._network.approximate and not exact:
            claim = self._claim[rows]
            better = success & (loss > torch.maximum(claim, self._refuted[rows]))
            won = self.success[rows]
            better &= ~won if self.early_stop else ~won | (loss > self._loss[rows])
            self._claimed[rows] = torch.where(per_example(better, x), x, self._claimed[rows])
            self._claim[rows] = torch.where(better, loss, claim)
            success = torch.zeros_like(success)
        best, won = self._loss[rows], self.success[rows]
        if self._network.random:  # a loss that is highest by chance says little: the last iterate is kept
            best = torch.full_like(best, -torch.inf)
        better = (success & ~won) | ((success == won) & (loss > best))
        self.inputs[rows] = torch.where(per_example(better, x), x, self.inputs[rows])
        self._loss[rows] = torch.where(better, loss, best)
        self.success[rows] = won | success

    @torch.no_grad()
    def settle(self) -> None:
        """Have claims confirmed; of an approximate network this waits for the device."""
        if not self._network.approximate:
            return
        rows = (self._claim > -torch.inf).nonzero()[:, 0]
        if not len(rows):
            return
        x, claim = self._claimed[rows], self._claim[rows]
        sound = fooled(exact_logits(self._network, x), self._labels[rows], self._targeted)
        self._refuted[rows] = torch.where(sound, self._refuted[rows], claim)
        self._claim[rows] = -torch.inf
        self.inputs[rows] = torch.where(per_example(sound, x), x, self.inputs[rows])
        self._loss[rows] = torch.where(sound, claim, self._loss[rows])
        self.success[rows] |= sound

    def left(self, rows: Tensor) -> Tensor | None:
        """Which of the examples `rows` go on, by their place among these; None for all. This waits for the device.

        With `early_stop` those without a success, unless too few have one for the others to go on alone.
        """
        self.settle()
        if not self.early_stop or self._network.whole:
            return None
        left = (~self.success[rows]).nonzero()[:, 0]
        return left if len(left) <= _WORTH_LEAVING * len(rows) else None

    def remaining(self) -> Tensor:
        """The examples without a success, by place in the batch; this waits for the device."""
        self.settle()
        return (~self.success).nonzero()[:, 0]
