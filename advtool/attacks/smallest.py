"""What attacks that need no radius keep: the smallest adversarial example of each input, else the strongest iterate."""

import torch
from torch import Tensor

from advtool.attacks.guard import exact_logits
from advtool.attacks.losses import margin
from advtool.attacks.success import LOOKS
from advtool.ball import Ball, per_example
from advtool.prepared import Network

_ROUNDING = 16


class Smallest:
    """The smallest adversarial example seen of each input; where there is none, the iterate of highest strength.

    The strength is how far the logits are past the decision: the margin of another class over the label, or of the
    target over the other classes. An iterate is adversarial if its strength exceeds `confidence`, and by more than
    rounding in another batch could take away. An input that is adversarial as it is has distance 0 and is kept.

    Where the network is only nearly the model, the model itself confirms what would be the smallest adversarial example
    so far: on a CPU at once, elsewhere every 16 iterates the smallest one since the last time.

    Parameters
    ----------
    inputs, labels : those of the attack
    ball : whose norm is to be small; where its radius is 0 there is nothing to look for
    targeted : `labels` are to be reached, not left
    enough : an example is done once it is broken at this distance
    confidence : the least strength of an adversarial example

    Attributes
    ----------
    inputs : the result
    distance : its distance to the original; infinite where there is no adversarial example
    """

    def __init__(
        self,
        network: Network,
        inputs: Tensor,
        labels: Tensor,
        ball: Ball,
        *,
        targeted: bool = False,
        enough: float = 0.0,
        confidence: float = 0.0,
    ):
        self._network, self._originals, self._labels, self._ball = network, inputs, labels, ball
        self._targeted, self.enough, self._confidence = targeted, enough, confidence
        with torch.no_grad():
            logits = exact_logits(network, inputs)
        done = ((logits.argmax(1) == labels) == targeted) & (self.strength(logits, labels) >= confidence)
        self.clean_logits = logits
        self.inputs = inputs.clone()
        self.distance = torch.where(done, 0.0, torch.full_like(logits[:, 0], torch.inf))
        self._strength = torch.full_like(self.distance, -torch.inf)
        self._claimed, self._claim = self.inputs.clone(), torch.full_like(self.distance, torch.inf)
        self._since = 0

    def strength(self, logits: Tensor, labels: Tensor) -> Tensor:
        """How far logits are past the decision: positive for an adversarial example."""
        return -margin(logits, labels) if self._targeted else margin(logits, labels)

    def unsettled(self) -> Tensor:
        """Places of the inputs that are not done; none if nothing can be found. This waits for the device."""
        self._settle()
        possible = self.clean_logits.shape[1] > 1 and self._ball.eps > 0
        return ((self.distance > self.enough) & possible).nonzero()[:, 0]

    def left(self, rows: Tensor, also: Tensor | None = None) -> Tensor | None:
        """Which of the inputs `rows` go on, by their place among these; None for all. This waits for the device.

        Parameters
        ----------
        also : which of them want to, bool
        """
        self._settle()
        if self._network.whole:
            return None
        going = self.distance[rows] > self.enough
        left = (going if also is None else going & also).nonzero()[:, 0]
        return left if len(left) < len(rows) else None

    @torch.no_grad()
    def see(self, rows: Tensor, x: Tensor, logits: Tensor, exact: bool = False) -> tuple[Tensor, Tensor]:
        """Take note of iterates of the inputs numbered `rows`: (which are adversarial, their distances).

        Parameters
        ----------
        exact : the logits are the model's own, and not the network's
        """
        labels, distance = self._labels[rows], self._ball.norm(x - self._originals[rows])
        success = self._network.counted(self._adversarial(logits, labels), x, labels, by_chance=True)
        if exact or not self._network.approximate:
            self._note(rows, x, self.strength(logits, labels), distance, success)
        elif x.device.type == "cpu":
            closer = (success & (distance < self.distance[rows])).nonzero()[:, 0]
            if len(closer):
                confirmed = self._adversarial(exact_logits(self._network, x[closer]), labels[closer])
                success = success.index_put((closer,), confirmed)
            self._note(rows, x, self.strength(logits, labels), distance, success)
        else:
            self._claims(rows, x, self.strength(logits, labels), distance, success)
        return success, distance

    def _note(self, rows: Tensor, x: Tensor, strength: Tensor, distance: Tensor, success: Tensor) -> None:
        known = self.distance[rows]
        stronger = known.isinf() & (strength > self._strength[rows])
        better = torch.where(success, distance < known, stronger) & (distance > 0)
        self.inputs[rows] = torch.where(per_example(better, x), x, self.inputs[rows])
        self._strength[rows] = torch.where(better, strength, self._strength[rows])
        self.distance[rows] = torch.where(better & success, distance.to(known.dtype), known)

    def _claims(self, rows: Tensor, x: Tensor, strength: Tensor, distance: Tensor, success: Tensor) -> None:
        """Keep the smallest of what seem to be adversarial examples until they are settled."""
        claim = self._claim[rows]
        smaller = success & (distance > 0) & (distance < torch.minimum(claim, self.distance[rows]))
        self._claimed[rows] = torch.where(per_example(smaller, x), x, self._claimed[rows])
        self._claim[rows] = torch.where(smaller, distance.to(claim.dtype), claim)
        self._note(rows, x, strength, distance, torch.zeros_like(success))
        self._since += 1
        if self._since == LOOKS:
            self._settle()

    @torch.no_grad()
    def _settle(self) -> None:
        """Have the model confirm what was claimed."""
        self._since = 0
        if not self._network.approximate:
            return
        rows = self._claim.isfinite().nonzero()[:, 0]
        if not len(rows):
            return
        x, distance, labels = self._claimed[rows], self._claim[rows], self._labels[rows]
        logits = exact_logits(self._network, x)
        self._note(rows, x, self.strength(logits, labels), distance, self._adversarial(logits, labels))
        self._claim[rows] = torch.inf

    def result(self) -> Tensor:
        """The inputs, once all that was claimed is confirmed."""
        self._settle()
        return self.inputs

    @torch.no_grad()
    def bisect(self, steps: int) -> None:
        """Move adversarial examples towards their originals, to the decision boundary, if that makes them smaller."""
        self._settle()
        if not self._ball.shrinks:
            return
        rows = (self.distance.isfinite() & (self.distance > 0)).nonzero()[:, 0]
        original, found = self._originals[rows], self.inputs[rows]
        low, high = torch.zeros_like(self.distance[rows]), torch.ones_like(self.distance[rows])
        for _ in range(steps if len(rows) else 0):
            middle = (low + high) / 2
            x = original + per_example(middle, found).to(found.dtype) * (found - original)
            success, _ = self.see(rows, x, exact_logits(self._network, x), exact=True)
            low, high = torch.where(success, low, middle), torch.where(success, middle, high)

    def _adversarial(self, logits: Tensor, labels: Tensor) -> Tensor:
        rounding = _ROUNDING * torch.finfo(logits.dtype).eps * logits.abs().amax(1)
        return self.strength(logits, labels) > rounding.clamp_min(self._confidence)
