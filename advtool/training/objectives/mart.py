"""MART (Wang et al. 2020, https://openreview.net/forum?id=rklOg6EFwS, equations 8 to 12)."""

import torch
from torch import Tensor

from advtool.attacks.losses import cross_entropy, kl
from advtool.training.objectives.base import Batch, Objective, Outcome, hits


class Mart(Objective):
    """BCE(p(x+δ), y) + β·KL(p(x) ‖ p(x+δ))·(1 − p_y(x)), δ found by PGD on the cross-entropy; β is the paper's λ."""

    def outcome(self, batch: Batch) -> Outcome:
        x, y = batch.x, batch.y
        network = self.network(x)
        right = int(self.correct(network, x, y).sum())
        attacked = self.attacked(network, batch)
        clean, adversarial = self.logits(x), self.logits(attacked)
        doubt = 1 - clean.softmax(1).gather(1, y[:, None])[:, 0]
        loss = boosted_cross_entropy(adversarial, y) + self.config.beta * kl(clean, adversarial) * doubt
        return Outcome(loss.mean(), right, hits(adversarial, y))


def boosted_cross_entropy(logits: Tensor, y: Tensor) -> Tensor:
    """−log p_y − log(1 − max over k ≠ y of p_k): N."""
    rival = logits.scatter(1, y[:, None], -torch.inf).argmax(1, keepdim=True)
    without_rival = logits.scatter(1, rival, -torch.inf).logsumexp(1)
    return cross_entropy(logits, y) + logits.logsumexp(1) - without_rival
