"""Adversarial training of smoothed models: SmoothAdv (Salman et al. 2019, https://arxiv.org/abs/1906.04584)."""

import math

import torch
from torch import Tensor, nn

from advtool import keyed, seeds
from advtool.models.classifier import Classifier
from advtool.prepared import Network, untouched
from advtool.training.config import TrainConfig
from advtool.training.objectives.adversarial import Adversarial
from advtool.training.objectives.base import Batch, Examples, Outcome, hits

DRAWS = 2
"""Of noise for each image; the paper has 1 to 8."""


class SmoothAdv(Adversarial):
    """Mean over draws of λ·ℓ(x+δ+η) − (λ−1)·ℓ(x+η), η from N(0, S²), S being ``noise``; x + η is not clipped.

    δ is found by PGD on −log of the mean probability of the label under the same draws (equation 6, algorithm 1).
    """

    def __init__(self, model: Classifier, config: TrainConfig):
        super().__init__(model, config)
        self._noise = torch.zeros(0)

    def examples(self, batch: Batch) -> Examples:
        x, shape = batch.x, (len(batch.x), DRAWS, *batch.x.shape[1:])
        self._noise = self.config.noise * keyed.normal(shape, batch.ids, seeds.derive(batch.seed, "noise")).to(x)
        with untouched(self.model):
            return super().examples(batch)

    def network(self, x: Tensor) -> Network:
        """The model smoothed over the draws, in eval mode."""
        return Network(Mean(super().network(x), self._noise), random=False)

    def loss(self, batch: Batch, examples: Examples) -> Outcome:
        lam, y = self.config.lam, batch.y.repeat_interleave(DRAWS)
        logits = self.logits((examples.x[:, None] + self._noise).flatten(0, 1))
        loss = self.cross_entropy(logits, y)
        if lam != 1:
            clean = self.logits((batch.x[:, None] + self._noise).flatten(0, 1))
            loss = lam * loss - (lam - 1) * self.cross_entropy(clean, y)
        return Outcome(loss, examples.right, hits(logits[::DRAWS], batch.y))


class Mean(nn.Module):
    """Logarithm of the mean probabilities of a network under noise of its own for each image: N×draws×C×H×W."""

    def __init__(self, network: Network, noise: Tensor):
        super().__init__()
        self._network, self._noise = (network,), noise

    def forward(self, x: Tensor) -> Tensor:
        (network,) = self._network
        logs = network((x[:, None] + self._noise).flatten(0, 1)).log_softmax(1)
        mean: Tensor = logs.view(len(x), -1, logs.shape[1]).logsumexp(1) - math.log(self._noise.shape[1])
        return mean
