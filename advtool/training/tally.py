"""What is counted over an epoch, and who is told."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from advtool.ball import precise
from advtool.training.objectives import Outcome
from advtool.training.parallel import Share


@dataclass
class Tally:
    """Running sums over an epoch, on the device until somebody wants to know them.

    Attributes
    ----------
    n : images that were counted here
    everywhere : images that all processes have gone through
    rate : the last learning rate
    """

    n: int = 0
    loss: Tensor | float = 0.0
    clean: Tensor | int | None = None
    adversarial: Tensor | int | None = None
    rate: float = 0.0
    everywhere: int = 0

    def add(self, count: int, outcome: Outcome) -> None:
        self.n += count
        self.loss = self.loss + precise(outcome.loss.detach()) * count
        if outcome.clean is not None:
            self.clean = (self.clean or 0) + outcome.clean
        if outcome.adversarial is not None:
            self.adversarial = (self.adversarial or 0) + outcome.adversarial

    def over(self, share: Share, device: torch.device) -> "Tally":
        """The sums over all processes."""
        counted = [self.clean is not None, self.adversarial is not None]
        mine = [self.n, float(self.loss), float(self.clean or 0), float(self.adversarial or 0)]
        n, loss, clean, adversarial = share.total(mine, device)
        hits = int(clean) if counted[0] else None, int(adversarial) if counted[1] else None
        return Tally(int(n), loss, *hits, everywhere=self.everywhere)

    def to_json(self) -> dict:
        """Mean loss and training accuracies, as fractions; without those that nobody counted. Waits for the device."""
        hits = {"clean_accuracy": self.clean, "adversarial_accuracy": self.adversarial}
        n = max(self.n, 1)
        return {
            "loss": float(self.loss) / n,
            **{name: int(hit) / n for name, hit in hits.items() if hit is not None},
        }


class Observer(Protocol):
    """Whoever wants to know how training goes."""

    def batch(self, epoch: int, tally: Tally) -> None:
        """A batch is done, or on a GPU 16 are; `tally` sums up the epoch so far."""

    def epoch(self, record: dict) -> None:
        """An epoch is done."""


class Silent:
    """An observer that does nothing."""

    def batch(self, epoch: int, tally: Tally) -> None:
        pass

    def epoch(self, record: dict) -> None:
        pass
