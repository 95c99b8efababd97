"""What an objective is given, what it returns, and what all of them need."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from advtool.attacks import pgd
from advtool.attacks.guard import logits_of
from advtool.models.classifier import Classifier
from advtool.prepared import Network, prepare, untouched
from advtool.threat import Threat
from advtool.training.config import TrainConfig


@dataclass(frozen=True)
class Batch:
    """Images N×C×H×W in [0, 1], labels N, what each image's randomness is keyed by, and the adversary of this step."""

    x: Tensor
    y: Tensor
    ids: Tensor
    seed: int
    threat: Threat | None = None

    @property
    def adversary(self) -> Threat:
        """The adversary, of an objective that has one."""
        assert self.threat is not None
        return self.threat


@dataclass(frozen=True)
class Outcome:
    """The loss to minimise, a scalar with its graph, and how many images were right: None where that is not known."""

    loss: Tensor
    clean: int | None = None
    adversarial: int | None = None


class Objective:
    """The loss of a batch.

    The trainer calls `outcome`, goes one step down its gradient and calls `stepped`, all `replays` times per batch.
    """

    replays = 1

    def __init__(self, model: Classifier, config: TrainConfig):
        self.model, self.config = model, config
        self._network: Network | None = None

    def outcome(self, batch: Batch) -> Outcome:
        """The loss of this batch; every objective has its own."""
        raise NotImplementedError

    def stepped(self) -> None:
        """The optimiser has taken its step; gradients are still there."""

    def state(self) -> dict[str, Tensor]:
        """What is carried from batch to batch."""
        return {}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Put `state` back."""

    def logits(self, x: Tensor) -> Tensor:
        """Logits in train mode, float32."""
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self.config.amp):
            return self.model(x).float()

    def cross_entropy(self, logits: Tensor, y: Tensor) -> Tensor:
        """Mean cross-entropy with the label smoothing asked for."""
        return F.cross_entropy(logits, y, label_smoothing=self.config.label_smoothing)

    def network(self, x: Tensor) -> Network:
        """The model in eval mode as it is now, made ready to be attacked on images like these."""
        if self._network is None:
            self._network = prepare(self.model, x, self.config.amp)
        else:
            self._network.refresh()
        return self._network

    @torch.no_grad()
    def correct(self, network: Network, x: Tensor, y: Tensor) -> Tensor:
        """Which images the network classifies correctly: bool, N."""
        with untouched(self.model):
            return logits_of(network, x).argmax(1) == y

    def attacked(self, network: Network, batch: Batch) -> Tensor:
        """The last iterate of PGD by the adversary of this step."""
        threat, seed = batch.adversary, batch.seed
        return pgd(network, batch.x, batch.y, threat.ball, **threat.options, keep="last", ids=batch.ids, seed=seed)


def hits(logits: Tensor, y: Tensor) -> int:
    """How many labels the logits give."""
    return int((logits.detach().argmax(1) == y).sum())
