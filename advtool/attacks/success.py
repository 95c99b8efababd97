"""What counts as a success, and the strongest iterate of each example."""

import torch
from torch import Tensor, nn

from advtool.attacks.guard import logits_of
from advtool.attacks.losses import margin
from advtool.ball import per_example


def fooled(logits: Tensor, labels: Tensor, targeted: bool = False) -> Tensor:
    """Whether the prediction is clearly not the label, or clearly the target: bool, N.

    Clearly is by more than rounding, since the same images in another batch give slightly other logits.
    """
    lead = margin(logits.detach(), labels)
    rounding = 16 * torch.finfo(logits.dtype).eps * logits.detach().abs().amax(1)
    return (-lead if targeted else lead) > rounding


@torch.no_grad()
def confirmed(model: nn.Module, x: Tensor, labels: Tensor, claimed: Tensor, targeted: bool = False) -> Tensor:
    """The successes claimed in reduced precision that a float32 forward pass of the model agrees to: bool, N."""
    rows = claimed.nonzero()[:, 0]
    if not len(rows):
        return claimed
    return claimed.index_put((rows,), fooled(logits_of(model, x[rows]), labels[rows], targeted))


class Strongest:
    """The strongest iterate of each example: success comes before loss.

    Attributes
    ----------
    inputs : N×C×H×W, the iterates
    success : bool, N
    """

    def __init__(self, inputs: Tensor):
        self.inputs = inputs.clone()
        self.success = torch.zeros(len(inputs), dtype=torch.bool, device=inputs.device)
        self._loss = torch.full((len(inputs),), -torch.inf, dtype=inputs.dtype, device=inputs.device)

    def see(self, x: Tensor, loss: Tensor, success: Tensor, rows: Tensor | slice = slice(None)) -> None:
        """Show one iterate of each of the examples `rows`, with the loss to maximise."""
        loss = loss.to(self._loss.dtype)
        best, won = self._loss[rows], self.success[rows]
        better = (success & ~won) | ((success == won) & (loss > best))
        self.inputs[rows] = torch.where(per_example(better, x), x, self.inputs[rows])
        self._loss[rows] = torch.where(better, loss, best)
        self.success[rows] = won | success

    def remaining(self) -> Tensor:
        """The examples without a success, by place in the batch."""
        return (~self.success).nonzero()[:, 0]
