"""Adversarial training (Madry et al. 2018), its joint objective, and its fast form."""

import torch
from torch import Tensor

from advtool.ball import per_example
from advtool.prepared import Network
from advtool.training.objectives.base import Batch, Examples, Objective, Outcome, hits


class Adversarial(Objective):
    """λ·ℓ(x+δ) − (λ−1)·ℓ(x), δ found by PGD (Suggala et al. 2019, equation 7); λ = 1 is adversarial training.

    With ``attack_correct_only`` δ is 0 where the model is wrong on x already (Collins et al. 2019, algorithm 1).
    """

    def examples(self, batch: Batch) -> Examples:
        x, network = batch.x, self.network(batch.x)
        correct = self._correct(network, x, batch.y)
        attacked = self.attacked(network, batch)
        if self.config.attack_correct_only and correct is not None:
            attacked = torch.where(per_example(correct, x), attacked, x)
        return Examples(attacked, None if correct is None else correct.sum())

    def loss(self, batch: Batch, examples: Examples) -> Outcome:
        config, y = self.config, batch.y
        logits = self.logits(examples.x)
        loss = self.cross_entropy(logits, y)
        if config.lam != 1:
            loss = config.lam * loss - (config.lam - 1) * self.cross_entropy(self.logits(batch.x), y)
        return Outcome(loss, examples.right, hits(logits, y))

    def _correct(self, network: Network, x: Tensor, y: Tensor) -> Tensor | None:
        return self.correct(network, x, y)


class Fast(Adversarial):
    """One step of 1.25·eps from a random point of the ball (Wong et al. 2020, https://arxiv.org/abs/2001.03994).

    The threat says so; what is left to save is the pass that counts how many images are right before the attack.
    """

    def _correct(self, network: Network, x: Tensor, y: Tensor) -> Tensor | None:
        return self.correct(network, x, y) if self.config.attack_correct_only else None
