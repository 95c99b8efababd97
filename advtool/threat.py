"""The adversary of training, resolved: which perturbations it may make, and how hard PGD looks for them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from advtool import norms

if TYPE_CHECKING:
    from advtool.ball import Ball

TRAINING_STEPS = 7
OWN = {"trades": (10, 7 / 31), "mart": (10, 7 / 31)}
"""Steps and their length in units of eps of methods that have their own: 0.007 for 0.031 in their authors' programs."""

ONE_STEP = {"fast": (1.25, True), "n-fgsm": (1.0, True), "free": (1.0, False)}
"""Objectives that train on one step at a time: its length in units of eps, and whether it starts at random."""

FEW = 2.5
"""How far fewer steps than a method's own go together, in units of eps: as in evaluation."""


@dataclass(frozen=True)
class Threat:
    """A ball around each image and the PGD settings to search it.

    Attributes
    ----------
    norm : name of the ball's norm, per example over all of C×H×W
    eps : radius, on the [0, 1] pixel scale
    steps : number of gradient steps
    step_size : length of a step in the norm, on the [0, 1] pixel scale
    random_start : begin at a random point of the ball instead of at the image
    restarts : number of runs; all but the first begin at a random point
    """

    norm: str
    eps: float
    steps: int
    step_size: float
    random_start: bool
    restarts: int = 1

    @classmethod
    def training(
        cls,
        norm: str,
        eps: float,
        steps: int | None = None,
        step_size: float | None = None,
        random_start: bool | None = None,
        objective: str = "pgd",
    ) -> Threat:
        """The adversary of adversarial training, by default 7 steps: of eps/5 from the image (l2, Ilyas et al. 2019,
        appendix C) or of eps/4 from a random point (linf, Madry et al. 2018).

        Methods of `OWN` have their own; those of `ONE_STEP` one step. Of fewer steps each is 2.5·eps/steps long, so
        that they reach the sphere.
        """
        ball = norms.ball(norm, eps)
        count, factor = OWN.get(objective, (TRAINING_STEPS, ball.training_step))
        at_random = ball.starts_at_random
        if objective in ONE_STEP:
            (factor, at_random), count = ONE_STEP[objective], 1
        if steps is not None and objective not in ONE_STEP:
            factor, count = FEW / steps if 0 < steps < count else factor, steps
        return cls(
            norm,
            eps,
            count if steps is None else steps,
            factor * eps if step_size is None else step_size,
            at_random if random_start is None else random_start,
        )

    @property
    def reach(self) -> float:
        """How far its steps can go together."""
        return self.steps * self.step_size

    @property
    def ball(self) -> Ball:
        """The perturbations that it may make."""
        return norms.ball(self.norm, self.eps)

    @property
    def options(self) -> dict[str, Any]:
        """The options of `pgd` that make it this adversary's."""
        return {
            "steps": self.steps,
            "step_size": self.step_size,
            "random_start": self.random_start,
            "restarts": self.restarts,
        }

    def scaled(self, scale: float) -> Threat:
        """The same adversary with its radius and its steps times `scale`."""
        return replace(self, eps=scale * self.eps, step_size=scale * self.step_size)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)
