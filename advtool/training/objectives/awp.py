"""Adversarial weight perturbation (Wu et al. 2020, https://arxiv.org/abs/2004.05884, equations 8 to 10)."""

import torch
from torch import Tensor, nn

from advtool.models.classifier import Classifier
from advtool.training.config import TrainConfig
from advtool.training.objectives.base import Batch, Objective, Outcome
from advtool.training.parallel import Share

_TINY = 1e-12


class Perturbed(Objective):
    """Another objective, its gradient taken where the weights of each layer are moved by γ‖w‖·g/‖g‖.

    g is the gradient of the objective's loss on the images that it has found. Parameters of one dimension, biases and
    those of BatchNorm, stay; so do running statistics, which see the batch once.
    """

    def __init__(self, inner: Objective, gamma: float):
        super().__init__(inner.model, inner.config)
        self._inner, self._gamma, self.replays = inner, gamma, inner.replays
        self._moves: list[tuple[nn.Parameter, Tensor]] = []

    def outcome(self, batch: Batch) -> Outcome:
        examples = self._inner.examples(batch)
        weights = [weight for weight in self.model.parameters() if weight.dim() > 1 and weight.requires_grad]
        buffers = [(buffer, buffer.clone()) for buffer in self.model.net.buffers()]
        found = torch.autograd.grad(
            self._inner.loss(batch, examples).loss, weights, allow_unused=True, materialize_grads=True
        )
        gradients = Share.mine().averaged(found, batch.weight)
        with torch.no_grad():
            for buffer, before in buffers:
                buffer.copy_(before)
            self._moves = [
                (weight, self._gamma * weight.norm() / gradient.norm().clamp_min(_TINY) * gradient)
                for weight, gradient in zip(weights, gradients, strict=True)
            ]
            for weight, move in self._moves:
                weight.add_(move)
        return self._inner.loss(batch, examples)

    def differentiated(self) -> None:
        """Put the weights back, so that the step is made from where they were."""
        with torch.no_grad():
            for weight, move in self._moves:
                weight.sub_(move)
        self._moves = []


def perturbed(objective: Objective, model: Classifier, config: TrainConfig) -> Objective:
    """The objective, with perturbed weights if the configuration wants that."""
    return Perturbed(objective, config.awp) if config.awp else objective
