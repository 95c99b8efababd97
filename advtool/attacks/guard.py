"""Attacks use a model without leaving a trace in it, and do not go on with logits that are no numbers."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from advtool.errors import AdvtoolError


def logits_of(model: nn.Module, x: Tensor, amp: bool = False) -> Tensor:
    """The model's logits in float32 or float64, N×K, computed in bfloat16 if `amp`.

    Raises
    ------
    AdvtoolError
        if one is not finite
    """
    with torch.autocast(x.device.type, torch.bfloat16, enabled=amp):
        logits = model(x)
    if not logits.detach().isfinite().all():
        raise AdvtoolError("the model returns logits that are not finite")
    return logits if logits.dtype == torch.float64 else logits.float()


@torch.no_grad()
def predictions_of(model: nn.Module, x: Tensor, amp: bool = False) -> Tensor:
    """The class of the largest logit of each image, int64: N. For `amp` and errors see `logits_of`."""
    return logits_of(model, x, amp).argmax(1)


@contextmanager
def untouched(model: nn.Module) -> Iterator[nn.Module]:
    """Put the model in eval mode with frozen parameters; restore every flag on leaving.

    In eval mode batch-norm buffers do not change, and no gradient is stored in the parameters.
    """
    training = [(module, module.training) for module in model.modules()]
    wanted = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    try:
        model.eval()
        for parameter, _ in wanted:
            parameter.requires_grad_(False)
        yield model
    finally:
        for module, flag in training:
            module.training = flag
        for parameter, flag in wanted:
            parameter.requires_grad_(flag)
