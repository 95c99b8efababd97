"""Attacks made to transfer to other models: momentum, input diversity, translation invariance.

MI-FGSM is of Dong et al. 2018 (https://arxiv.org/abs/1710.06081), input diversity of Xie et al. 2019
(https://arxiv.org/abs/1803.06978), translation invariance of Dong et al. 2019 (https://arxiv.org/abs/1904.02884).
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from advtool import keyed, seeds
from advtool.attacks.guard import attack, gradient_of, numbered
from advtool.attacks.losses import cross_entropy
from advtool.ball import Ball, per_example
from advtool.errors import UsageError

SMALLEST = 0.9
"""Least side of a shrunken image, as a share of the image's."""

DEVIATIONS = 3
"""Where the Gaussian of translation invariance is cut off."""


@attack()
def mi_fgsm(
    model: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    ball: Ball,
    *,
    targeted: bool = False,
    steps: int = 10,
    step_size: float | None = None,
    momentum: float = 1.0,
    diversity: float = 0.0,
    translation: int = 1,
    eot: int = 1,
    ids: Tensor | None = None,
    seed: int = 0,
    amp: bool = False,
) -> Tensor:
    """Increase the cross-entropy of `labels` along a direction that remembers the gradients of all steps so far.

    ``g ← momentum·g + ∇/‖∇‖₁``, and a step of the ball's steepest ascent along g (algorithm 1 of Dong et al. 2018).
    With `diversity` the gradient is taken at the image as it is or, by that probability, shrunk to a random size
    between 0.9 and 1 of its side and put at a random place on black (Xie et al. 2019, equation 3; there images are
    made larger, which few networks take). With `translation` it is smoothed by a Gaussian, which stands for the
    gradients at all shifts of the image (Dong et al. 2019, equation 7).

    Parameters
    ----------
    model : takes pixels in [0, 1], N×C×H×W, returns logits; left exactly as it was found
    inputs : N×C×H×W in [0, 1]
    labels : N, int64; the true classes, or the targets if `targeted`
    ball : around each input, such as ``Linf(8/255)``
    targeted : decrease the cross-entropy of `labels` instead
    steps : gradient steps
    step_size : length of a step in the norm, on the [0, 1] pixel scale; eps/steps by default
    momentum : share of the last direction that stays, ≥ 0; 0 forgets it
    diversity : probability, in [0, 1], that an image is shrunk and moved in a step
    translation : side of the Gaussian in pixels, odd, of deviation (side − 1)/6; 1 smooths nothing
    eot : calls whose mean gradient is followed (expectation over transformation), where the model is random
    ids : N, int64; what the random numbers of each example are keyed by; its place in the batch by default
    seed : of the random numbers
    amp : take gradients in bfloat16

    Returns
    -------
    Tensor like `inputs`: the last iterates, in the ball around them and in [0, 1]. Whether they fool this model is not
    looked at, since it stands for others

    Raises
    ------
    UsageError
        if `translation` is even, or `diversity` is no probability
    AdvtoolError
        if the model returns logits that are not finite
    """
    asked = {"steps": steps, "step_size": step_size, "diversity": diversity, "translation": translation}
    wanted = resolved(ball, asked)
    ids, x, direction = numbered(inputs, ids), inputs.clone(), torch.zeros_like(inputs)
    tiny = torch.finfo(inputs.dtype).tiny
    for step in range(steps if ball.eps > 0 else 0):
        gradient = _gradient(model, x, labels, ids, diversity, seeds.derive(seed, "diversity", step))
        gradient = smoothed(gradient.nan_to_num(nan=0.0), translation)
        # Scaled by its largest entry first, since the sum over a saturated model's gradient may underflow.
        gradient = gradient / per_example(gradient.flatten(1).abs().amax(1), x).clamp_min(tiny)
        gradient = gradient / per_example(gradient.flatten(1).abs().sum(1), x).clamp_min(tiny)
        direction = momentum * direction + (-gradient if targeted else gradient)
        x = ball.inside(x + wanted["step_size"] * ball.ascent(direction, x), inputs)
    return x


def resolved(ball: Ball, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of `mi_fgsm`, with the step size filled in where it is None."""
    if not options["diversity"] <= 1:
        raise UsageError("is a probability, at most 1", parameter="diversity", value=options["diversity"])
    if options["translation"] % 2 == 0:
        raise UsageError(
            "must be odd, so that there is a middle", parameter="translation", value=options["translation"]
        )
    step_size = ball.eps / max(options["steps"], 1) if options["step_size"] is None else options["step_size"]
    return {**options, "step_size": step_size}


def _gradient(model: nn.Module, x: Tensor, labels: Tensor, ids: Tensor, diversity: float, seed: int) -> Tensor:
    """The gradient of the cross-entropy in x, of images that may be shrunk and moved: N×C×H×W."""
    if not diversity:
        return gradient_of(model, x, cross_entropy, labels)[2]
    rows, columns = diverse(x, ids, diversity, seed)
    seen = rows @ x @ columns.mT
    gradient = gradient_of(model, seen, cross_entropy, labels)[2]
    return rows.mT @ gradient @ columns


def diverse(x: Tensor, ids: Tensor, diversity: float, seed: int) -> tuple[Tensor, Tensor]:
    """(R, N×1×H×H; C, N×1×W×W): ``R @ x @ C.mT`` are images shrunk bilinearly and put on black, each in its own way.

    Parameters
    ----------
    diversity : probability of each image; of the others R and C are the identity
    """
    chance, size, top, left = keyed.uniform((len(x), 4), ids, seed).T
    found = []
    for side, place in zip(x.shape[2:], (top, left), strict=True):
        least = max(1, int(SMALLEST * side))
        small = least + (size * max(1, side - least)).floor()  # as in the paper, never the whole side if it can be less
        small = torch.where(chance < diversity, small, side)
        start = (place * (side - small + 1)).floor()
        pixel = torch.arange(side, device=x.device)
        inside = (pixel >= start[:, None]) & (pixel < (start + small)[:, None])
        where = (pixel - start[:, None] + 0.5) * (side / small)[:, None] - 0.5
        weight = (1 - (where[:, :, None] - pixel).abs()).clamp_min(0)
        found.append((weight * inside[:, :, None])[:, None].to(x.dtype))
    return found[0], found[1]


def smoothed(gradient: Tensor, side: int) -> Tensor:
    """Gradients N×C×H×W convolved with a Gaussian of `side` pixels, cut off at three deviations."""
    if side == 1:
        return gradient
    where = torch.linspace(-DEVIATIONS, DEVIATIONS, side, dtype=gradient.dtype, device=gradient.device)
    line = (-(where**2) / 2).exp()
    kernel = torch.outer(line, line) / line.sum() ** 2
    channels = gradient.shape[1]
    weight = kernel.expand(channels, 1, side, side)
    return nn.functional.conv2d(gradient, weight, padding=side // 2, groups=channels)
