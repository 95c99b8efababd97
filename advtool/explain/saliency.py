"""What a model looks at: gradients in the pixels, plain, integrated and smoothed.

Attributions are N×C×H×W like the images. They are of the loss, where positive means that more of the pixel raises the
cross-entropy of the label, or of the label's logit, where positive means that it speaks for the label.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from advtool import keyed, seeds
from advtool.attacks.guard import exact_logits, logits_of
from advtool.attacks.losses import log_odds
from advtool.device import float64
from advtool.errors import AdvtoolError
from advtool.prepared import Network, prepare, untouched

QUANTITIES = ("loss", "logit")
SMOOTHGRAD_COPIES = 50
SMOOTHGRAD_VARIANCE = 0.25
COMPLETE = 0.01
_FIRST_STEPS, _LAST_STEPS = 64, 4096


def gradient(model: nn.Module, inputs: Tensor, labels: Tensor, of: str = "loss") -> Tensor:
    """Gradient of the cross-entropy of `labels`, or of their logits, in the pixels (Simonyan et al. 2014).

    Parameters
    ----------
    model : takes pixels in [0, 1], N×C×H×W, returns logits; left exactly as it was found
    inputs : N×C×H×W
    labels : N, int64
    of : ``loss`` or ``logit``

    Raises
    ------
    AdvtoolError
        if a logit or a gradient is not finite
    """
    with _driven(model, inputs) as network:
        return _finite(network, _gradient(network, inputs, labels, of))


def integrated_gradients(
    model: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    of: str = "logit",
    *,
    baseline: float = 0.0,
    steps: int | None = None,
) -> Tensor:
    """Integrated gradients (Sundararajan et al. 2017, equation 1, https://arxiv.org/abs/1703.01365).

    (x − x′) times the mean gradient on the straight line from x′ to x, by the midpoint rule.

    Parameters
    ----------
    baseline : grey level of x′, on the [0, 1] pixel scale; 0 is black
    steps : points on the line. By default 64, and four times as many, up to 4,096, for the images whose
        `completeness_error` is more than 1%
    """
    with _driven(model, inputs) as network:
        if steps is not None:
            return _finite(network, _integrated(network, inputs, labels, of, baseline, steps))
        found = _integrated(network, inputs, labels, of, baseline, _FIRST_STEPS)
        more = 4 * _FIRST_STEPS
        while more <= _LAST_STEPS:
            off = completeness_error(model, inputs, labels, found, of, baseline) > COMPLETE
            rows = off.nonzero()[:, 0].to(inputs.device)
            if not len(rows):
                break
            found[rows] = _integrated(network, inputs[rows], labels[rows], of, baseline, more)
            more *= 4
        return _finite(network, found)


def smoothgrad(
    model: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    of: str = "logit",
    *,
    variance: float = SMOOTHGRAD_VARIANCE,
    copies: int = SMOOTHGRAD_COPIES,
    ids: Tensor | None = None,
    seed: int = 0,
) -> Tensor:
    """SmoothGrad (Smilkov et al. 2017, https://arxiv.org/abs/1706.03825): mean gradient over noisy copies of the image.

    Parameters
    ----------
    variance : of the Gaussian noise, on the [0, 1] pixel scale; noisy pixels are not clipped. Suggala et al. 2019,
        figure 6, has 0.25
    copies : number of noisy copies
    ids : N, int64; what the noise of each example is keyed by; its place in the batch by default
    """
    ids = torch.arange(len(inputs), device=inputs.device) if ids is None else ids
    total = torch.zeros_like(inputs)
    with _driven(model, inputs) as network:
        for copy in range(copies):
            total += _gradient(network, inputs + noise(inputs, variance, ids, seed, copy), labels, of)
    return _finite(network, total / copies)


def noise(like: Tensor, variance: float, ids: Tensor, seed: int, copy: int) -> Tensor:
    """The noise that `smoothgrad` adds in one copy."""
    return (variance**0.5 * keyed.normal(like.shape, ids, seeds.derive(seed, "smoothgrad", copy))).to(like.dtype)


@torch.no_grad()
def completeness_error(
    model: nn.Module, inputs: Tensor, labels: Tensor, attributions: Tensor, of: str = "logit", baseline: float = 0.0
) -> Tensor:
    """How far attributions are from summing to F(x) − F(x′), relative to that: N; 0 where both are 0, else inf.

    In float64, and so on the CPU if the device has no such numbers.
    """
    ends = [_quantity(exact_logits(model, x), labels, of) for x in (inputs, torch.full_like(inputs, baseline))]
    wanted = float64(ends[0]) - float64(ends[1])
    off = (float64(attributions).flatten(1).sum(1) - wanted).abs()
    return torch.where(off > 0, off / wanted.abs(), 0.0)


@contextmanager
def _driven(model: nn.Module, inputs: Tensor) -> Iterator[Network]:
    """The model's network in float32; the model is left as it was found."""
    with untouched(model):
        yield prepare(model, inputs)


def _integrated(network: Network, inputs: Tensor, labels: Tensor, of: str, baseline: float, steps: int) -> Tensor:
    total = torch.zeros_like(inputs)
    for step in range(steps):
        point = baseline + (step + 0.5) / steps * (inputs - baseline)
        total += _gradient(network, point, labels, of)
    return (inputs - baseline) * total / steps


def _finite(network: Network, found: Tensor) -> Tensor:
    """The attributions, if they and the logits are numbers."""
    network.check()
    if not found.isfinite().all():
        raise AdvtoolError("the model's gradient is not finite")
    return found


def _gradient(network: Network, inputs: Tensor, labels: Tensor, of: str) -> Tensor:
    x = inputs.detach().clone().requires_grad_(True)
    with torch.enable_grad():
        (found,) = torch.autograd.grad(_quantity(logits_of(network, x), labels, of).sum(), x)
    return found


def _quantity(logits: Tensor, labels: Tensor, of: str) -> Tensor:
    """What is attributed, N. The loss as the softplus of the log-odds: as `cross_entropy`, but its gradient keeps its
    direction in float32 where the model is sure of the label."""
    if of == "logit":
        return logits.gather(1, labels[:, None])[:, 0]
    return F.softplus(log_odds(logits, labels))
