"""What attacks that need no radius keep: the smallest adversarial example of each input, else the strongest iterate."""

import torch
from torch import Tensor, nn

from advtool.attacks.guard import logits_of
from advtool.attacks.losses import margin
from advtool.ball import Ball, per_example

_ROUNDING = 16


class Smallest:
    """The smallest adversarial example seen of each input; where there is none, the iterate of highest strength.

    The strength is how far the logits are past the decision: the margin of another class over the label, or of the
    target over the other classes. An iterate is adversarial if its strength exceeds `confidence`, and by more than
    rounding in another batch could take away. An input that is adversarial as it is has distance 0 and is kept.

    Parameters
    ----------
    model : in eval mode
    inputs, labels : those of the attack
    ball : whose norm is to be small; where its radius is 0 there is nothing to look for
    targeted : `labels` are to be reached, not left
    amp : the logits to be seen are from bfloat16, so that a success among them is confirmed in float32
    confidence : the least strength of an adversarial example

    Attributes
    ----------
    inputs : the result
    distance : its distance to the original; infinite where there is no adversarial example
    """

    def __init__(
        self,
        model: nn.Module,
        inputs: Tensor,
        labels: Tensor,
        ball: Ball,
        *,
        targeted: bool = False,
        amp: bool = False,
        confidence: float = 0.0,
    ):
        self._model, self._originals, self._labels, self._ball = model, inputs, labels, ball
        self._targeted, self._amp, self._confidence = targeted, amp, confidence
        with torch.no_grad():
            logits = logits_of(model, inputs)
        done = ((logits.argmax(1) == labels) == targeted) & (self.strength(logits, labels) >= confidence)
        self.clean_logits = logits
        self.inputs = inputs.clone()
        self.distance = torch.where(done, 0.0, torch.full_like(logits[:, 0], torch.inf))
        self._strength = torch.full_like(self.distance, -torch.inf)

    def strength(self, logits: Tensor, labels: Tensor) -> Tensor:
        """How far logits are past the decision: positive for an adversarial example."""
        return -margin(logits, labels) if self._targeted else margin(logits, labels)

    def beyond(self, eps: float) -> Tensor:
        """Indices of the inputs whose distance exceeds `eps`; none if nothing can be found."""
        possible = self.clean_logits.shape[1] > 1 and self._ball.eps > 0
        return ((self.distance > eps) & possible).nonzero()[:, 0]

    @torch.no_grad()
    def see(self, rows: Tensor, x: Tensor, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Take note of iterates of the inputs numbered `rows`: (which are adversarial, their distances)."""
        labels, distance = self._labels[rows], self._ball.norm(x - self._originals[rows])
        success = self._adversarial(logits, labels)
        if self._amp and success.any():
            confirmed = self._adversarial(logits_of(self._model, x[success]), labels[success])
            success = success.masked_scatter(success, confirmed)
        strength, known = self.strength(logits, labels), self.distance[rows]
        stronger = known.isinf() & (strength > self._strength[rows])
        better = torch.where(success, distance < known, stronger) & (distance > 0)
        self.inputs[rows] = torch.where(per_example(better, x), x, self.inputs[rows])
        self._strength[rows] = torch.where(better, strength, self._strength[rows])
        self.distance[rows] = torch.where(better & success, distance.to(known.dtype), known)
        return success, distance

    @torch.no_grad()
    def bisect(self, steps: int) -> None:
        """Move adversarial examples towards their originals, to the decision boundary."""
        rows = (self.distance.isfinite() & (self.distance > 0)).nonzero()[:, 0]
        original, found = self._originals[rows], self.inputs[rows]
        low, high = torch.zeros_like(self.distance[rows]), torch.ones_like(self.distance[rows])
        for _ in range(steps if len(rows) else 0):
            middle = (low + high) / 2
            x = original + per_example(middle, found).to(found.dtype) * (found - original)
            success, _ = self.see(rows, x, logits_of(self._model, x))
            low, high = torch.where(success, low, middle), torch.where(success, middle, high)

    def _adversarial(self, logits: Tensor, labels: Tensor) -> Tensor:
        rounding = _ROUNDING * torch.finfo(logits.dtype).eps * logits.abs().amax(1)
        return self.strength(logits, labels) > rounding.clamp_min(self._confidence)
