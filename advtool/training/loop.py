"""The training loop: standard training, and adversarial training by PGD (Madry et al. 2018)."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from advtool import keyed
from advtool.attacks import pgd
from advtool.attacks.guard import untouched
from advtool.data.augment import augment
from advtool.data.batches import Batches
from advtool.errors import AdvtoolError
from advtool.models.classifier import Classifier
from advtool.training.config import TrainConfig
from advtool.training.schedule import factor
from advtool.training.state import State


@dataclass
class Tally:
    """Running sums over an epoch."""

    n: int = 0
    loss: float = 0.0
    clean: int = 0
    adversarial: int = 0
    attacked: bool = False

    def add(self, count: int, loss: float, clean: int, adversarial: int | None) -> None:
        self.n += count
        self.loss += loss * count
        self.clean += clean
        if adversarial is not None:
            self.attacked = True
            self.adversarial += adversarial

    def to_json(self) -> dict:
        """Mean loss and training accuracies, as fractions."""
        record = {"loss": self.loss / self.n, "clean_accuracy": self.clean / self.n}
        return record | ({"adversarial_accuracy": self.adversarial / self.n} if self.attacked else {})


class Observer(Protocol):
    """Whoever wants to know how training goes."""

    def batch(self, epoch: int, tally: Tally) -> None:
        """A batch is done; `tally` sums up the epoch so far."""

    def epoch(self, record: dict) -> None:
        """An epoch is done."""


class Silent:
    """An observer that does nothing."""

    def batch(self, epoch: int, tally: Tally) -> None:
        pass

    def epoch(self, record: dict) -> None:
        pass


@dataclass
class Trainer:
    """Trains a model in place.

    `measure` is called with the model and the number of each epoch that is done, and returns what to add to its record.
    Everything random in an epoch follows from the seed and the epoch's number, so a run that continues from a
    `State` takes the same steps as one that was never interrupted.
    """

    model: Classifier
    batches: Batches
    config: TrainConfig
    observer: Observer | None = None
    measure: Callable[[Classifier, int], dict] = lambda model, epoch: {}
    save: Callable[[State], None] = lambda state: None
    history: list[dict] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.observer = self.observer or Silent()
        self.optimizer = _optimizer(self.model, self.config)

    def run(self, start: State | None = None) -> list[dict]:
        """Train to the last epoch and return the history: a record an epoch."""
        if start:
            start.restore(self.model, self.optimizer)
            self.history = list(start.history)
        for epoch in range(len(self.history), self.config.epochs):
            torch.manual_seed(keyed.derive(self.config.seed, "epoch", epoch) % 2**31)
            tally = self._epoch(epoch)
            record = {"epoch": epoch + 1, **tally.to_json(), **self.measure(self.model, epoch + 1)}
            self.history.append(record)
            self.save(State.of(self.model, self.optimizer, self.history))
            self.observer.epoch(record)
        self.model.eval()
        return self.history

    def _epoch(self, epoch: int) -> Tally:
        tally = Tally()
        self.model.train()
        for step, (x, y, ids) in enumerate(self.batches.epoch(epoch)):
            seed = keyed.derive(self.config.seed, "batch", epoch)
            x = augment(x, ids, keyed.derive(seed, "augment"), self.config.augment)
            self._set_rate(epoch, step)
            tally.add(len(x), *self._step(x, y, ids, seed))
            self.observer.batch(epoch + 1, tally)
        return tally

    def _step(self, x: Tensor, y: Tensor, ids: Tensor, seed: int) -> tuple[float, int, int | None]:
        """One optimiser step: (loss, clean hits, adversarial hits or None)."""
        threat = self.config.threat
        clean_hits = None
        if threat:
            clean_hits = self._hits(x, y)
            x = pgd(self.model, x, y, threat, keep="last", ids=ids, seed=seed, amp=self.config.amp)
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self.config.amp):
            logits = self.model(x)
        logits = logits.float()
        loss = F.cross_entropy(logits, y, label_smoothing=self.config.label_smoothing)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        value = loss.item()
        if not math.isfinite(value):
            raise AdvtoolError("training diverged: the loss is not finite; try a lower --lr")
        hits = int((logits.detach().argmax(1) == y).sum())
        return (value, clean_hits, hits) if threat else (value, hits, None)

    @torch.no_grad()
    def _hits(self, x: Tensor, y: Tensor) -> int:
        with untouched(self.model), torch.autocast(x.device.type, torch.bfloat16, enabled=self.config.amp):
            return int((self.model(x).argmax(1) == y).sum())

    def _set_rate(self, epoch: int, step: int) -> None:
        config = self.config
        per_epoch = math.ceil(self.batches.n / config.batch_size) if self.batches.n else step + 1
        total = config.epochs * per_epoch
        drops = [drop / config.epochs for drop in config.lr_drops]
        scale = factor(config.schedule, epoch * per_epoch + step, total, drops, config.lr_drop_factor)
        for group in self.optimizer.param_groups:
            group["lr"] = config.lr * scale


def _optimizer(model: Classifier, config: TrainConfig) -> torch.optim.Optimizer:
    if config.optimizer == "sgd":
        return torch.optim.SGD(
            model.parameters(), config.lr, momentum=config.momentum, weight_decay=config.weight_decay
        )
    return torch.optim.AdamW(
        model.parameters(), config.lr, betas=(config.momentum, 0.999), weight_decay=config.weight_decay
    )
