"""The guard of training on one step against catastrophic overfitting (Wong et al. 2020, section 5.3)."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from advtool import registry, seeds
from advtool.attacks.guard import predictions_of
from advtool.models.classifier import Classifier
from advtool.prepared import untouched
from advtool.training.config import TrainConfig
from advtool.training.parallel import Share

STEPS = 10
IMAGES = 256
TOLERATED = 0.2


class Guard:
    """Attacks the first 256 training images of each epoch by PGD of 10 steps once the epoch is over.

    A model that overfits to one step loses its robustness against several, often within a few batches: then the
    accuracy falls more than 20 points below that of the best epoch. Where it never rose, `misled` tells.
    """

    def __init__(self, config: TrainConfig):
        assert config.threat is not None
        self._attack = registry.get("pgd").plan(config.threat.ball, {"steps": STEPS})
        self._config = config
        self._images: list[tuple[Tensor, Tensor, Tensor]] = []
        self._seen = 0

    @property
    def is_full(self) -> bool:
        """Whether the images of this epoch are there."""
        return self._seen >= IMAGES

    def see(self, epoch_begins: bool, rows: int, x: Tensor, y: Tensor, ids: Tensor) -> None:
        """Be shown this process's part of a batch of so many rows; the first ones of an epoch are kept until `check`.

        What another process counts is not.
        """
        if epoch_begins:
            self._images, self._seen = [], 0
        if not self.is_full:
            self._images.append((x, y, ids) if Share.mine().counts(rows) else (x[:0], y[:0], ids[:0]))
            self._seen += rows

    def check(self, model: Classifier, history: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """``{"pgd_accuracy": …}`` for the epoch's record, with ``"collapsed": True`` if it fell too far."""
        x, y, ids = (torch.cat(parts) for parts in zip(*self._images, strict=True))
        amp, seed, hits = self._config.amp, seeds.derive(self._config.seed, "guard", len(history)), 0
        if len(y):
            attacked = self._attack(model, x, y, ids=ids, seed=seed, amp=amp)
            with untouched(model):
                hits = int((predictions_of(model, attacked) == y).sum())
        right, n = Share.mine().total([hits, len(y)], y.device)
        accuracy = right / n
        fell = accuracy < max((record["pgd_accuracy"] for record in history), default=0) - TOLERATED
        return {"pgd_accuracy": accuracy, **({"collapsed": True} if fell else {})}


def misled(record: dict[str, Any]) -> bool:
    """Whether after this epoch the model withstood its one step by more than 20 points better than PGD."""
    return "pgd_accuracy" in record and bool(record["adversarial_accuracy"] - record["pgd_accuracy"] > TOLERATED)
