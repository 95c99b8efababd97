"""Standard training, and randomised training with Gaussian noise."""

from advtool import keyed, seeds
from advtool.training.objectives.base import Batch, Objective, Outcome, hits


class Standard(Objective):
    """Cross-entropy of x + N(0, S²), S being ``noise``; the sum is not clipped to [0, 1]."""

    def outcome(self, batch: Batch) -> Outcome:
        x, scale = batch.x, self.config.noise
        if scale:
            x = x + scale * keyed.normal(x.shape, batch.ids, seeds.derive(batch.seed, "noise"))
        logits = self.logits(x)
        return Outcome(self.cross_entropy(logits, batch.y), clean=hits(logits, batch.y))
