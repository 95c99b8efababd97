"""Threat models: which perturbations an adversary may make, and how hard PGD looks for them."""

from dataclasses import asdict, dataclass, replace

NORMS = ("l2", "linf")
TRAINING_STEPS = 7
ONE_STEP = {"fast": (1.25, True), "free": (1.0, False)}
"""Objectives that train on one step at a time: its length in units of eps, and whether it starts at random."""

EVALUATION_STEPS = 50


@dataclass(frozen=True)
class Threat:
    """A ball around each image and the PGD settings to search it.

    Attributes
    ----------
    norm : ``l2`` or ``linf``, per example over all of C×H×W
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
    ) -> "Threat":
        """The adversary of adversarial training: 7 steps of eps/5, from the image (l2) or at random (linf).

        The l2 defaults are those of Ilyas et al. 2019, appendix C. Objectives of `ONE_STEP` have one step by default.
        """
        if objective in ONE_STEP:
            length, at_random = ONE_STEP[objective]
            size = length * eps if step_size is None else step_size
            at_random = at_random if random_start is None else random_start
            return cls(norm, eps, 1 if steps is None else steps, size, at_random)
        return cls(
            norm,
            eps,
            TRAINING_STEPS if steps is None else steps,
            eps / 5 if step_size is None else step_size,
            norm == "linf" if random_start is None else random_start,
        )

    @classmethod
    def evaluation(
        cls,
        norm: str,
        eps: float,
        steps: int | None = None,
        step_size: float | None = None,
        random_start: bool | None = None,
        restarts: int = 1,
    ) -> "Threat":
        """The adversary of evaluation: 50 steps of 2.5·eps/steps."""
        steps = EVALUATION_STEPS if steps is None else steps
        return cls(
            norm,
            eps,
            steps,
            2.5 * eps / max(steps, 1) if step_size is None else step_size,
            norm == "linf" if random_start is None else random_start,
            restarts,
        )

    def scaled(self, scale: float) -> "Threat":
        """The same adversary with its radius and its steps times `scale`."""
        return replace(self, eps=scale * self.eps, step_size=scale * self.step_size)

    def to_json(self) -> dict:
        return asdict(self)
