"""N-FGSM (de Jorge et al. 2022, https://arxiv.org/abs/2202.01181, algorithm 1)."""

import torch
from torch import Tensor

from advtool import seeds
from advtool.attacks.guard import logits_of
from advtool.attacks.losses import log_odds
from advtool.prepared import Network, untouched
from advtool.training.objectives.adversarial import Fast
from advtool.training.objectives.base import Batch

NOISE = 2
"""Radius of the noise, in units of eps (the paper's k)."""


class NFgsm(Fast):
    """One step of eps from a random point of a ball of radius 2·eps, and no projection onto the ball of radius eps.

    Defined in linf; in other norms noise and step are that norm's.
    """

    def attacked(self, network: Network, batch: Batch) -> Tensor:
        """Images perturbed by noise and step; only held to [0, 1]."""
        threat, ball = batch.adversary, batch.adversary.ball
        if ball.eps == 0:
            return batch.x
        noise = ball.with_eps(NOISE * ball.eps).random(batch.x, batch.ids, seeds.derive(batch.seed, "noise"))
        noisy = (batch.x + noise).clamp(0, 1).requires_grad_(True)
        with untouched(self.model):
            (gradient,) = torch.autograd.grad(log_odds(logits_of(network, noisy), batch.y).sum(), noisy)
        network.check()
        return (noisy.detach() + threat.step_size * ball.ascent(gradient, noisy.detach())).clamp(0, 1)
