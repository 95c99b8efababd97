"""Linearised boundaries between a label and other classes."""

import torch
from torch import Tensor, nn

from advtool.attacks.guard import logits_of, went_back
from advtool.ball import Ball, per_example
from advtool.prepared import Network

_TINY = 1e-12


def nearest(model: nn.Module, x: Tensor, labels: Tensor, others: Tensor, ball: Ball) -> tuple[Tensor, Tensor, Tensor]:
    """Of the boundaries to several classes, the one that is nearest once it is linearised at x.

    Parameters
    ----------
    model : of a random one the mean of `Network.calls` calls is meant
    others : the classes on the other sides, N×M
    ball : in whose norm it is near

    Returns
    -------
    (logits N×K; how far the other class's logit exceeds the label's, N; its gradient in x), without graphs
    """
    logits, values, gradients = boundaries(model, x, labels, others)
    distances = [
        value.abs() / ball.dual(gradient).clamp_min(_TINY) for value, gradient in zip(values, gradients, strict=True)
    ]
    value, gradient, least = values[0], gradients[0], distances[0]
    for other, other_gradient, distance in zip(values[1:], gradients[1:], distances[1:], strict=True):
        closer = distance < least
        least, value = torch.where(closer, distance, least), torch.where(closer, other, value)
        gradient = torch.where(per_example(closer, x), other_gradient, gradient)
    return logits, value.to(x.dtype), gradient


def boundaries(
    model: nn.Module, x: Tensor, labels: Tensor, others: Tensor
) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    """(logits N×K; M differences of the others' logits to the label's, N each; their gradients), without graphs."""
    calls, count = model.calls if isinstance(model, Network) else 1, others.shape[1]
    x = x.detach().requires_grad_(True)
    total: list[Tensor] = []
    for _ in range(calls):
        logits = logits_of(model, x)
        differences = logits.gather(1, others) - logits.gather(1, labels[:, None])
        found = [logits.detach(), *differences.detach().unbind(1)]
        for number, difference in enumerate(differences.unbind(1), 1):
            found += torch.autograd.grad(difference.sum(), x, retain_graph=number < count)
            went_back(model, x)
        total = [sum_ + each for sum_, each in zip(total, found, strict=True)] if total else found
    total = [each / calls for each in total] if calls > 1 else total
    return total[0], total[1 : count + 1], total[count + 1 :]
