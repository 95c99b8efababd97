"""Default settings, by the size of the images and by the method, as each was published.

Up to 28 pixels a recipe of our own: Adam with a one-cycle schedule. Up to 16 pixels label smoothing against an
adversary, since so few images overfit: on the digits at l2 0.5 PGD-50 finds 86% with it and 82% without, AutoAttack 82%
and 81%, so part of the gain is only a loss that is harder to attack. Above 28 pixels that of each method's own program:

========  =======================================================================================================
pgd       `robustness` (Engstrom et al. 2019): 150 epochs, rate 0.1 dropped after each third, decay 5e-4; above 64
          pixels batches of 256, decay 1e-4. Of its augmentation crops and flips, not the jitter of colours (0.25) and
          the rotations (2°) that it has for CIFAR-10: that is ``crop+flip+jitter+rotate``.
          The recipe of standard training too
trades    Zhang et al. 2019: 76 epochs, rate 0.1 dropped after 75, decay 2e-4
mart      Wang et al. 2020, ResNet-18: 120 epochs, rate 0.01 dropped after 75, 90 and 100, decay 3.5e-3
fast      Wong et al. 2020: 15 epochs, a rate that rises to 0.2 and falls again, decay 5e-4
n-fgsm    de Jorge et al. 2022: 30 epochs, otherwise as fast
free      Shafahi et al. 2019: 205 passes (80,000 steps of 128 on CIFAR-10), 8 replays, rate 0.1 dropped after 1/2 and
          3/4, decay 2e-4
========  =======================================================================================================
"""

import math
from dataclasses import dataclass
from typing import Any

REPLAYS = 8
"""Of ``free``."""


@dataclass(frozen=True)
class Recipe:
    """Settings of a method for images above 28 pixels.

    Attributes
    ----------
    epochs : passes over the data
    drops : when the rate drops, as fractions of the epochs
    """

    epochs: int = 150
    lr: float = 0.1
    weight_decay: float = 5e-4
    schedule: str = "step"
    drops: tuple[float, ...] = (1 / 3, 2 / 3)


RECIPES = {
    "pgd": Recipe(),
    "trades": Recipe(epochs=76, weight_decay=2e-4, drops=(75 / 76,)),
    "mart": Recipe(epochs=120, lr=0.01, weight_decay=3.5e-3, drops=(75 / 120, 90 / 120, 100 / 120)),
    "fast": Recipe(epochs=15, lr=0.2, schedule="triangle", drops=()),
    "n-fgsm": Recipe(epochs=30, lr=0.2, schedule="triangle", drops=()),
    "free": Recipe(epochs=205, weight_decay=2e-4, drops=(1 / 2, 3 / 4)),
}


def default_epochs(shape: tuple[int, int, int], objective: str = "pgd") -> int:
    """Passes over images of a shape, where none are asked for."""
    side = max(shape[1:])
    return 15 if side <= 16 else 10 if side <= 28 else RECIPES[objective].epochs


def recipe(
    shape: tuple[int, int, int],
    epochs: int,
    mirrored: bool,
    adversarial: bool,
    replays: int = 1,
    objective: str = "pgd",
) -> dict[str, Any]:
    """Default settings for images of a shape and a method.

    Parameters
    ----------
    epochs : passes over the data
    mirrored : whether a mirrored image keeps its class, so that flips augment
    adversarial : whether label smoothing is one of the method's options and there is something to attack
    replays : optimiser steps per batch, by which the number of epochs is divided
    """
    side = max(shape[1:])
    epochs = math.ceil(epochs / replays)
    if side <= 28:
        tiny = side <= 16
        return {
            "epochs": epochs,
            "batch_size": 128,
            "optimizer": "adam",
            "lr": 5e-3 if tiny else 2e-3,
            "momentum": 0.9,
            "weight_decay": 0.0,
            "schedule": "one-cycle",
            "lr_drops": (),
            "lr_drop_factor": 0.1,
            "label_smoothing": 0.3 if tiny and adversarial else 0.0,
            "augment": "none",
        }
    method, large = RECIPES[objective], side > 64 and objective == "pgd"
    return {
        "epochs": epochs,
        "batch_size": 256 if large else 128,
        "optimizer": "sgd",
        "lr": method.lr,
        "momentum": 0.9,
        "weight_decay": 1e-4 if large else method.weight_decay,
        "schedule": method.schedule,
        "lr_drops": tuple(int(drop * epochs + 1e-9) for drop in method.drops) if epochs >= 3 else (),
        "lr_drop_factor": 0.1,
        "label_smoothing": 0.0,
        "augment": "crop+flip" if mirrored else "crop",
    }
