"""Free adversarial training (Shafahi et al. 2019, https://arxiv.org/abs/1904.12843, algorithm 1)."""

import torch
from torch import Tensor

from advtool.models.classifier import Classifier
from advtool.threat import Threat
from advtool.training.config import TrainConfig
from advtool.training.objectives.base import Batch, Objective, Outcome, hits
from advtool.training.parallel import Share


class Free(Objective):
    """Each batch is replayed m times; one backward pass gives the gradients of both the weights and δ.

    δ goes up its gradient by the step size, eps by default, and is carried over to the next batch, by place in the
    batch: of several processes each has the δ of its own rows, and they are exchanged when these change.
    """

    def __init__(self, model: Classifier, config: TrainConfig):
        super().__init__(model, config)
        self.replays = config.replays
        parameter = next(model.parameters())
        shape = (config.batch_size, *model.spec.shape)
        self._delta = torch.zeros(shape, device=parameter.device)
        self._rows = slice(0, len(self._delta))
        self._share = Share.mine()
        self._used: Tensor | None = None
        self._seen = self._delta[:0]
        self._adversary: Threat | None = None

    def outcome(self, batch: Batch) -> Outcome:
        self._adversary = batch.adversary
        rows = slice(batch.first, batch.first + len(batch.x))
        if rows != self._rows:
            self._exchange()
            self._rows = rows
        if missing := max(0, rows.stop - len(self._delta)):  # the last batch may have one image more
            self._delta = torch.cat([self._delta, self._delta.new_zeros(missing, *self._delta.shape[1:])])
        self._used = self._delta[rows].clone().requires_grad_()
        seen = (batch.x + self._used).clamp(0, 1)
        self._seen, logits = seen.detach(), self.logits(seen)
        return Outcome(self.cross_entropy(logits, batch.y), adversarial=hits(logits, batch.y))

    @torch.no_grad()
    def stepped(self) -> None:
        used, threat = self._used, self._adversary
        assert used is not None and used.grad is not None and threat is not None
        moved = used + threat.step_size * threat.ball.ascent(used.grad, self._seen)
        self._delta[self._rows] = threat.ball.project(moved)

    def _exchange(self) -> None:
        """Let every process know the δ of all rows."""
        self._delta = self._share.joined(self._delta, self._rows)

    def state(self) -> dict[str, Tensor]:
        self._exchange()
        return {"delta": self._delta.clone()}

    def restore(self, state: dict[str, Tensor]) -> None:
        self._delta = state["delta"].clone().to(self._delta.device)
