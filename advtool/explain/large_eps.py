"""Adversarial pictures far beyond the radius of training (Tsipras et al. 2018, figures 3, 6 and 7)."""

import torch
from torch import Tensor, nn

from advtool import keyed
from advtool.attacks import pgd
from advtool.attacks.guard import logits_of, untouched
from advtool.threat import Threat

STEPS = 40


def default_eps(norm: str, shape: tuple[int, int, int]) -> float:
    """By image size, those of Tsipras et al. 2018 (table 3) for MNIST, CIFAR-10 and ImageNet; less for 8×8 digits."""
    side = max(shape[1:])
    if norm == "linf":
        return 0.3 if side <= 28 else 32 / 255 if side <= 64 else 0.25
    return 1.5 if side <= 16 else 4.0 if side <= 28 else 1200 / 255 if side <= 64 else 40.0


def random_targets(labels: Tensor, ids: Tensor, classes: int, seed: int = 0) -> Tensor:
    """For each example one of the other classes, each as likely, keyed by its id: N."""
    draws = keyed.uniform((len(labels), 1), ids, keyed.derive(seed, "target"))[:, 0]
    return (labels + 1 + (draws * (classes - 1)).long().clamp(max=max(classes - 2, 0))) % classes


def large_eps(
    model: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    norm: str,
    eps: float,
    *,
    targeted: bool = True,
    steps: int = STEPS,
    step_size: float | None = None,
) -> Tensor:
    """The last iterate of PGD from the image itself, 40 steps of 2.5·eps/steps.

    Parameters
    ----------
    inputs : N×C×H×W in [0, 1]
    labels : N, int64; targets, or the true classes if not `targeted`
    """
    threat = Threat.evaluation(norm, eps, steps, step_size, random_start=False)
    return pgd(model, inputs, labels, threat, targeted=targeted, keep="last")


@torch.no_grad()
def predict(model: nn.Module, inputs: Tensor) -> tuple[Tensor, Tensor]:
    """(predicted class, its probability) of each image, both N."""
    with untouched(model):
        confidence, predictions = logits_of(model, inputs).softmax(1).max(1)
    return predictions, confidence
