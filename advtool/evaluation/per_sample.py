"""What became of each sample, as JSON lines that an interrupted run goes on from."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from advtool.device import Settings
from advtool.evaluation.plan import Evaluation
from advtool.evaluation.sample_file import SampleFile
from advtool.registry import Planned


@dataclass(frozen=True)
class SampleOutcome:
    """What became of one image under one radius.

    Attributes
    ----------
    prediction : class predicted for the clean image
    broken_by : name of the first attack that changed a right prediction; ``clean`` if it was wrong from the
        start; None if the image stands
    distance : norm of the perturbation that broke it, 0 for ``clean``
    image : which image it was, see `fingerprint`; None in files of earlier versions
    norm : of the ball, where the run has several; else None, and left out of the file
    survived : number of the attacks that were tried in vain, where others are still to come; else None, and left out
    """

    key: str
    label: int
    eps: float | None
    prediction: int
    broken_by: str | None
    distance: float | None
    image: str | None = None
    norm: str | None = None
    survived: int | None = None

    @property
    def threat(self) -> tuple[float | None, str | None]:
        """(radius, norm) that it is about."""
        return self.eps, self.norm

    def to_json(self) -> dict[str, Any]:
        optional = ("norm", "survived")
        return {name: value for name, value in asdict(self).items() if name not in optional or value is not None}

    def check(self) -> None:
        """Raise ValueError if it was read from something that is no outcome."""
        texts = isinstance(self.key, str) and isinstance(self.image, str | None)
        texts = texts and isinstance(self.norm, str | None) and isinstance(self.survived, int | None)
        labels = all(isinstance(number, int) and number >= 0 for number in (self.label, self.prediction))
        norms = all(isinstance(x, float | int) and math.isfinite(x) for x in (self.eps or 0, self.distance or 0))
        if not (texts and labels and norms and isinstance(self.broken_by, str | None)):
            raise ValueError


class PerSampleFile(SampleFile[SampleOutcome]):
    """A file with a `SampleOutcome` in each line."""

    kind = SampleOutcome


def runs_of(plan: Evaluation, sha256: str, settings: Settings) -> list[dict[str, Any]]:
    """What identifies a run: the model, and every option of the attacks; then the same as version 0.1.0 said it.

    A file holds any number of radii, so that an option that grows with the radius is given for radius 1.
    """
    first = plan.stages[0].attacks
    attacks = [_options(attack, plan.asked or {}) for attack in first]
    norm = ",".join(stage.ball.name for stage in plan.stages) if plan.union else first[0].ball.name
    if plan.union:
        attacks = [_options(attack, plan.asked or {}) for stage in plan.stages for attack in stage.attacks]
    run = {"sha256": sha256, "attacks": attacks, "norm": norm, "seed": settings.seed, "amp": settings.amp}
    asked = {name: value for name, value in (plan.asked or {}).items() if name != "eot"}
    asked |= {"norm": first[0].ball.name, "restarts": 1 if asked.get("restarts") is None else asked["restarts"]}
    request = {**asked, "targeted": False, "keep": None, "seed": settings.seed, "amp": settings.amp}
    return [run, {"sha256": sha256, "attacks": [attack.name for attack in first], "request": request}]


def _options(planned: Planned, asked: Mapping[str, Any]) -> dict[str, Any]:
    """The options of an attack, those that grow with the radius as ``{"per_eps": …}``."""
    own = {name: value for name, value in asked.items() if name in planned.attack.takes}
    one, two = (planned.attack.plan(planned.ball.with_eps(eps), own).options for eps in (1, 2))
    options = {name: value if value == two[name] else {"per_eps": value} for name, value in one.items()}
    if options.get("eot") == 1:
        del options["eot"]  # as earlier versions, which had no such option
    return {"attack": planned.name, **options}
