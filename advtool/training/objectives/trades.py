"""TRADES (Zhang et al. 2019, https://arxiv.org/abs/1901.08573, equation 5 and algorithm 1)."""

from advtool import keyed, seeds
from advtool.attacks.guard import logits_of
from advtool.attacks.losses import kl
from advtool.attacks.pgd import ascend
from advtool.prepared import untouched
from advtool.training.objectives.base import Batch, Examples, Objective, Outcome, hits

START_DEVIATION = 0.001


class Trades(Objective):
    """ℓ(x) + β·KL(p(x) ‖ p(x+δ)), δ maximising the divergence; it is 0 at δ = 0, so PGD starts at 0.001·N(0, I)."""

    def loss(self, batch: Batch, examples: Examples) -> Outcome:
        y, clean, adversarial = batch.y, self.logits(batch.x), self.logits(examples.x)
        loss = self.cross_entropy(clean, y) + self.config.beta * kl(clean, adversarial).mean()
        return Outcome(loss, examples.right, hits(adversarial, y))

    def examples(self, batch: Batch) -> Examples:
        """x + δ, and how many x are classified correctly in eval mode."""
        x, threat = batch.x, batch.adversary
        ball = threat.ball
        noise = keyed.normal(x.shape, batch.ids, seeds.derive(batch.seed, "start"))
        start = ball.inside(x + START_DEVIATION * noise, x)
        network = self.network(x)
        with untouched(self.model):
            clean = logits_of(network, x).detach()
            attacked, _ = ascend(
                network,
                x,
                batch.y,
                start,
                ball,
                steps=threat.steps,
                step_size=threat.step_size,
                loss=lambda logits, y: kl(clean, logits),
            )
            network.check()
        return Examples(ball.contain(attacked, x), hits(clean, batch.y))
