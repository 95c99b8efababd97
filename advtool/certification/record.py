"""What was guaranteed for each image, as JSON lines that an interrupted run goes on from."""

import math
from dataclasses import asdict, dataclass
from typing import Any

from advtool.evaluation.sample_file import SampleFile


@dataclass(frozen=True)
class Certified:
    """What is guaranteed for one image.

    Attributes
    ----------
    prediction : what the smoothed classifier answers; None where it abstains
    radius : l2, on the [0, 1] pixel scale, in which it answers the same; 0 where it abstains
    p_lower : lower bound of the probability of that class under noise
    samples : draws that were made, those that chose the class among them
    distance : of the nearest image found that has another answer, if one was looked for and found
    undecided : whether they came to their end before every radius asked about was settled
    image : which image it was, see `sample_record.fingerprint`
    """

    key: str
    label: int
    prediction: int | None
    radius: float
    p_lower: float
    samples: int
    distance: float | None = None
    undecided: bool = False
    image: str | None = None

    @property
    def threat(self) -> tuple[float | None, str | None]:
        """Of no radius or norm in particular."""
        return None, None

    def counts_at(self, radius: float) -> bool:
        """Whether the right answer is certified in this radius."""
        return self.prediction == self.label and self.radius >= radius

    def stands_at(self, radius: float) -> bool:
        """Whether the right answer is given and no other one was found in this radius."""
        return self.prediction == self.label and (self.distance is None or self.distance > radius)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def check(self) -> None:
        """Raise ValueError if it was read from something that is none."""
        texts = isinstance(self.key, str) and isinstance(self.image, str | None) and isinstance(self.undecided, bool)
        whole = all(isinstance(x, int) and x >= 0 for x in (self.label, self.prediction or 0, self.samples))
        real = all(
            isinstance(x, float | int) and math.isfinite(x) and x >= 0
            for x in (self.radius, self.p_lower, self.distance or 0)
        )
        if not (texts and whole and real):
            raise ValueError


class CertifiedFile(SampleFile[Certified]):
    """A file with a `Certified` in each line."""

    kind = Certified
