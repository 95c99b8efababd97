"""MART (Wang et al. 2020, https://openreview.net/forum?id=rklOg6EFwS, equations 8 to 12)."""

import torch
from torch import Tensor

from advtool.attacks.losses import cross_entropy, kl
from advtool.training.objectives.base import Batch, Examples, Objective, Outcome, hits


class Mart(Objective):
    """BCE(p(x+δ), y) + β·KL(p(x) ‖ p(x+δ))·(1 − p_y(x)), δ found by PGD on the cross-entropy; β is the paper's λ."""

    def examples(self, batch: Batch) -> Examples:
        network = self.network(batch.x)
        right = self.correct(network, batch.x, batch.y).sum()
        return Examples(self.attacked(network, batch), right)

    def loss(self, batch: Batch, examples: Examples) -> Outcome:
        y, clean, adversarial = batch.y, self.logits(batch.x), self.logits(examples.x)
        doubt = 1 - clean.softmax(1).gather(1, y[:, None])[:, 0]
        loss = boosted_cross_entropy(adversarial, y) + self.config.beta * kl(clean, adversarial) * doubt
        return Outcome(loss.mean(), examples.right, hits(adversarial, y))


def boosted_cross_entropy(logits: Tensor, y: Tensor) -> Tensor:
    """−log p_y − log(1 − max over k ≠ y of p_k): N."""
    rival = logits.scatter(1, y[:, None], -torch.inf).argmax(1, keepdim=True)
    without_rival = logits.scatter(1, rival, -torch.inf).logsumexp(1)
    return cross_entropy(logits, y) + logits.logsumexp(1) - without_rival
