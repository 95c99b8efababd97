"""What all attacks promise: they leave no trace in a model, and do not go on with logits that are no numbers."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

import torch
from torch import Tensor, nn

from advtool.ball import Ball
from advtool.device import in_float32
from advtool.errors import UsageError
from advtool.memory import in_halves
from advtool.prepared import Network, Passes, exact, in_full, not_finite, plain, prepare, untouched

Options = ParamSpec("Options")
Function = Callable[Concatenate[nn.Module, Tensor, Tensor, Ball, Options], Tensor]


def attack(
    *, minimal: bool = False, only: type[Ball] | None = None
) -> Callable[[Function[Options]], Function[Options]]:
    """Decorate the steps of an attack, so that it keeps the promises of all attacks.

    It may be called where gradients are off, and finds inputs without a graph, labels that autograd can use, and
    instead of the model its `Network`, in eval mode with frozen parameters, driven in bfloat16 if its option `amp` is
    on, and with its option `eot` as `calls` if the model is random. What it returns is held to the ball, and has no
    graph.

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
            with torch.inference_mode(False), torch.enable_grad(), in_float32(), untouched(exact(model)):
                inputs, labels = usable(inputs.detach()), usable(labels)
                network = prepare(model, inputs, amp=True) if options.get("amp") else plain(model)
                with network.averaging(int(str(options.get("eot", 1))), inputs):
                    adversarial = function(network, inputs, labels, ball, *args, **options).detach()
                network.check()
                return (ball.shorten if minimal else ball.contain)(adversarial, inputs)

        return attack

    return decorate


def usable(x: Tensor) -> Tensor:
    """The tensor itself, or a copy that autograd can use of one that was made in inference mode."""
    return x.clone() if x.is_inference() else x


def numbered(inputs: Tensor, ids: Tensor | None) -> Tensor:
    """What each example's randomness is keyed by, N: its id, or its place in the batch."""
    return torch.arange(len(inputs), device=inputs.device) if ids is None else ids


def logits_of(model: nn.Module, x: Tensor) -> Tensor:
    """The logits that drive an attack, in float32 or float64, N×K.

    Raises
    ------
    AdvtoolError
        if one is not finite; of a `Network` that is found out at the end of the attack
    """
    if isinstance(model, Network):
        logits: Tensor = model(x)
        return logits
    return exact_logits(model, x)


def gradient_of(model: nn.Module, x: Tensor, loss: Callable[..., Tensor], *of: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(logits, N×K; loss, N; its gradient in x), without a graph: of a random model the means of `Network.calls` calls,
    of an ensemble whose losses are averaged those of its `Network.parts`.

    Parameters
    ----------
    loss : takes logits N×K and what else is given, returns N
    """
    calls: list[nn.Module] = [model]
    if isinstance(model, Network):
        calls = [*(model.parts or calls)] * model.calls
    x = x.detach().requires_grad_(True)
    found: list[Tensor] = []
    for asked in calls:
        logits = logits_of(asked, x)
        value = loss(logits, *of)
        (gradient,) = torch.autograd.grad(value.sum(), x)
        went_back(model, x)
        now = [logits.detach(), value.detach(), gradient]
        found = [total + each for total, each in zip(found, now, strict=True)] if found else now
    logits, value, gradient = (total / len(calls) for total in found) if len(calls) > 1 else found
    return logits, value, gradient


def went_back(model: nn.Module, x: Tensor) -> None:
    """Count a backward pass of images."""
    if isinstance(model, Network):
        model.passes += Passes(backward=len(x))


@torch.no_grad()
def mean_logits(model: nn.Module, x: Tensor) -> Tensor:
    """The logits that drive an attack, of a random model the mean of `Network.calls` calls: N×K."""
    calls = model.calls if isinstance(model, Network) else 1
    total = logits_of(model, x)
    for _ in range(calls - 1):
        total = total + logits_of(model, x)
    return total / calls if calls > 1 else total


def exact_logits(model: nn.Module, x: Tensor) -> Tensor:
    """The model's own logits in float32 or float64, N×K.

    Raises
    ------
    AdvtoolError
        if one is not finite
    """
    if isinstance(model, Network):
        model.passes += Passes(forward=len(x))
    with in_float32():
        logits = in_full(exact(model)(x))
    if not logits.detach().isfinite().all():
        raise not_finite()
    return logits


@torch.no_grad()
def predictions_of(model: nn.Module, x: Tensor) -> Tensor:
    """The class of the largest logit of each image, int64: N; for errors see `exact_logits`."""
    parts = in_halves(lambda part: exact_logits(model, x[part]).argmax(1), len(x))
    return torch.cat(parts) if parts else exact_logits(model, x).argmax(1)
