"""The adversary of training, resolved: which perturbations it may make, and how hard PGD looks for them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from advtool import registry

if TYPE_CHECKING:
    from advtool.ball import Ball

TRAINING_STEPS = 7
ONE_STEP = {"fast": (1.25, True), "free": (1.0, False)}
"""Objectives that train on one step at a time: its length in units of eps, and whether it starts at random."""


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
        """The adversary of adversarial training: 7 steps of eps/5, from the image (l2) or at random (linf).

        The l2 defaults are those of Ilyas et al. 2019, appendix C. Objectives of `ONE_STEP` have one step by default.
        """
        ball = registry.ball(norm, eps)
        count, length, at_random = TRAINING_STEPS, eps / 5, ball.starts_at_random
        if objective in ONE_STEP:
            factor, at_random = ONE_STEP[objective]
            count, length = 1, factor * eps
        return cls(
            norm,
            eps,
            count if steps is None else steps,
            length if step_size is None else step_size,
            at_random if random_start is None else random_start,
        )

    @property
    def ball(self) -> Ball:
        """The perturbations that it may make."""
        return registry.ball(self.norm, self.eps)

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
