"""What an objective is given, what it returns, and what all of them need."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from advtool.attacks import pgd
from advtool.attacks.guard import logits_of
from advtool.attacks.losses import cross_entropy
from advtool.models.classifier import Classifier
from advtool.prepared import Network, prepare, untouched
from advtool.threat import Threat
from advtool.training.config import TrainConfig


@dataclass(frozen=True)
class Batch:
    """Images N×C×H×W in [0, 1], labels N, what each image's randomness is keyed by, and whom to withstand.

    Attributes
    ----------
    threats : what the adversary of this step may do, of which the worst counts; none without one
    first : place of the first image in the batch of all processes
    weight : what the mean over these images counts for in the mean over those of all processes
    """

    x: Tensor
    y: Tensor
    ids: Tensor
    seed: int
    threats: tuple[Threat, ...] = ()
    first: int = 0
    weight: float = 1.0

    @property
    def adversary(self) -> Threat:
        """The adversary, of an objective that has one with one norm."""
        (threat,) = self.threats
        return threat


@dataclass(frozen=True)
class Outcome:
    """The loss to minimise, a scalar with its graph, and how many images were right, 0-dimensional: None where that is
    not known."""

    loss: Tensor
    clean: Tensor | None = None
    adversarial: Tensor | None = None


@dataclass(frozen=True)
class Examples:
    """What a batch is trained on besides itself: perturbed images like its own, and how many of its own were right."""

    x: Tensor
    right: Tensor | None = None


class Objective:
    """The loss of a batch.

    The trainer calls `outcome`, has its gradient taken and calls `differentiated`, goes one step down the gradient and
    calls `stepped`, all `replays` times per batch. An objective has `examples` and their `loss`, or an `outcome` of its
    own.

    Attributes
    ----------
    forward : the model, or its `Replica`, for logits that are differentiated by the weights
    """

    replays = 1

    def __init__(self, model: Classifier, config: TrainConfig):
        self.model, self.config = model, config
        self.forward: Callable[[Tensor], Tensor] = model
        self._network: Network | None = None

    def outcome(self, batch: Batch) -> Outcome:
        """The loss of this batch."""
        return self.loss(batch, self.examples(batch))

    def examples(self, batch: Batch) -> Examples:
        """Perturbed images of this batch."""
        raise NotImplementedError

    def loss(self, batch: Batch, examples: Examples) -> Outcome:
        """The loss of this batch once its perturbed images are found."""
        raise NotImplementedError

    def differentiated(self) -> None:
        """The gradient of the last outcome is taken; the optimiser has not yet gone down."""

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
            return self.forward(x).float()

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
        """The last iterate of PGD by the adversary of this step; of several norms that of the largest cross-entropy for
        each image (Tramer and Boneh 2019, https://arxiv.org/abs/1904.13000, section 2: the max strategy)."""
        found = [
            pgd(network, batch.x, batch.y, threat.ball, **threat.options, keep="last", ids=batch.ids, seed=batch.seed)
            for threat in batch.threats
        ]
        return found[0] if len(found) == 1 else self._worst(network, found, batch.y)

    @torch.no_grad()
    def _worst(self, network: Network, found: list[Tensor], y: Tensor) -> Tensor:
        """Of several perturbed images of each image the one of largest cross-entropy in eval mode: N×C×H×W."""
        with untouched(self.model):
            losses = torch.stack([cross_entropy(logits_of(network, x), y) for x in found])
            network.check()
        return torch.stack(found)[losses.argmax(0), torch.arange(len(y), device=y.device)]


def hits(logits: Tensor, y: Tensor) -> Tensor:
    """How many labels the logits give; the device is not waited for."""
    return (logits.detach().argmax(1) == y).sum()
