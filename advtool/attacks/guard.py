"""What all attacks promise: they leave no trace in a model, and do not go on with logits that are no numbers."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Concatenate, ParamSpec

import torch
from torch import Tensor, nn

from advtool.ball import Ball
from advtool.errors import AdvtoolError, UsageError
from advtool.memory import in_halves

Options = ParamSpec("Options")
Function = Callable[Concatenate[nn.Module, Tensor, Tensor, Ball, Options], Tensor]


def attack(
    *, minimal: bool = False, only: type[Ball] | None = None
) -> Callable[[Function[Options]], Function[Options]]:
    """Decorate the steps of an attack, so that it keeps the promises of all attacks.

    It may be called where gradients are off, and finds inputs without a graph, labels that autograd can use, and the
    model in eval mode with frozen parameters. What it returns is held to the ball, and has no graph.

    Parameters
    ----------
    minimal : it looks for the smallest perturbation, so that the ball needs no radius. Where there is one, a
        perturbation that is larger is shortened to it
    only : the ball that it is made for
    """

    def decorate(function: Function[Options]) -> Function[Options]:
        @wraps(function)
        def attack(
            model: nn.Module, inputs: Tensor, labels: Tensor, ball: Ball, *args: Options.args, **options: Options.kwargs
        ) -> Tensor:
            if only is not None and not isinstance(ball, only):
                raise UsageError(f"{function.__name__} is for {only.name} balls", parameter="ball", value=ball.name)
            if not (minimal or ball.is_bounded):
                raise UsageError(f"{function.__name__} needs a radius", parameter="eps")
            with torch.inference_mode(False), torch.enable_grad(), untouched(model):
                inputs, labels = usable(inputs.detach()), usable(labels)
                adversarial = function(model, inputs, labels, ball, *args, **options).detach()
                return (ball.shorten if minimal else ball.contain)(adversarial, inputs)

        return attack

    return decorate


def usable(x: Tensor) -> Tensor:
    """The tensor itself, or a copy that autograd can use of one that was made in inference mode."""
    return x.clone() if x.is_inference() else x


def numbered(inputs: Tensor, ids: Tensor | None) -> Tensor:
    """What each example's randomness is keyed by, N: its id, or its place in the batch."""
    return torch.arange(len(inputs), device=inputs.device) if ids is None else ids


def logits_of(model: nn.Module, x: Tensor, amp: bool = False) -> Tensor:
    """The model's logits in float32 or float64, N×K, computed in bfloat16 if `amp`.

    Raises
    ------
    AdvtoolError
        if one is not finite
    """
    with torch.autocast(x.device.type, torch.bfloat16, enabled=amp):
        logits: Tensor = model(x)
    if not logits.detach().isfinite().all():
        raise AdvtoolError("the model returns logits that are not finite")
    return logits if logits.dtype == torch.float64 else logits.float()


@torch.no_grad()
def predictions_of(model: nn.Module, x: Tensor, amp: bool = False) -> Tensor:
    """The class of the largest logit of each image, int64: N. For `amp` and errors see `logits_of`."""
    parts = in_halves(lambda part: logits_of(model, x[part], amp).argmax(1), len(x))
    return torch.cat(parts) if parts else logits_of(model, x, amp).argmax(1)


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
