"""Adversarial pictures far beyond the radius of training (Tsipras et al. 2018, figures 3, 6 and 7)."""

import math

import torch
from torch import Tensor, nn

from advtool import keyed, seeds
from advtool.attacks import pgd
from advtool.attacks.guard import logits_of
from advtool.ball import Ball
from advtool.errors import UsageError
from advtool.prepared import untouched

STEPS = {"l2": 40, "linf": 120}
"""Of PGD, by norm, as in the code of Tsipras et al. 2018: 40 of 1.5 for an eps of 40, 120 of 0.003 for one of 0.25."""

REACH = {"l2": 1.5, "linf": 1.44}
"""How far all steps go together, in eps."""

_UP_TO: dict[str, tuple[tuple[float, float], ...]] = {
    "linf": ((28, 0.3), (64, 32 / 255), (math.inf, 0.25)),
    "l2": ((16, 1.5), (28, 4.0), (64, 1200 / 255), (math.inf, 40.0)),
}
"""Norm → (largest side, eps)."""


def default_eps(norm: str, shape: tuple[int, int, int]) -> float:
    """By image size, those of Tsipras et al. 2018 (table 3) for MNIST, CIFAR-10 and ImageNet; less for 8×8 digits."""
    if norm not in _UP_TO:
        raise UsageError(f"there is no default for {norm}", parameter="eps")
    return next(eps for largest, eps in _UP_TO[norm] if max(shape[1:]) <= largest)


def default_steps(norm: str) -> int:
    """Steps of PGD in that norm."""
    return STEPS.get(norm, STEPS["l2"])


def default_step_size(norm: str, eps: float, steps: int) -> float:
    """Their length, so that they go a little farther than eps together."""
    return REACH.get(norm, REACH["l2"]) * eps / max(steps, 1)


def random_targets(labels: Tensor, ids: Tensor, classes: int, seed: int = 0) -> Tensor:
    """For each example one of the other classes, each as likely, keyed by its id: N."""
    draws = keyed.uniform((len(labels), 1), ids, seeds.derive(seed, "target"))[:, 0]
    return (labels + 1 + (draws * (classes - 1)).long().clamp(max=max(classes - 2, 0))) % classes


def large_eps(
    model: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    ball: Ball,
    *,
    targeted: bool = True,
    steps: int | None = None,
    step_size: float | None = None,
) -> Tensor:
    """The last iterate of PGD from the image itself: in l2 40 steps of 1.5·eps/steps, in linf 120 of 1.44·eps/steps.

    Parameters
    ----------
    inputs : N×C×H×W in [0, 1]
    labels : N, int64; targets, or the true classes if not `targeted`
    """
    steps = default_steps(ball.name) if steps is None else steps
    return pgd(
        model,
        inputs,
        labels,
        ball,
        targeted=targeted,
        steps=steps,
        step_size=default_step_size(ball.name, ball.eps, steps) if step_size is None else step_size,
        random_start=False,
        keep="last",
    )


@torch.no_grad()
def predict(model: nn.Module, inputs: Tensor) -> tuple[Tensor, Tensor]:
    """(predicted class, its probability) of each image, both N."""
    with untouched(model):
        confidence, predictions = logits_of(model, inputs).softmax(1).max(1)
    return predictions, confidence
