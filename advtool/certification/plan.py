"""What is to be certified, with every option resolved."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from advtool.certification.binomial import farthest
from advtool.certification.stopping import Sampling
from advtool.errors import UsageError

SAMPLES, PREDICTED_BY = 100_000, 1_000
STEP = 0.25
"""Between the radii of a report where none were asked for, as in the paper's tables."""

MOST_RADII = 100


@dataclass(frozen=True)
class Certification:
    """A plan with nothing left to choose but a model, the size of the noise and images.

    Attributes
    ----------
    n0 : draws that choose the class of which the others decide
    samples : draws of an image at most, those n0 not among them
    alpha : chance, at most, that a guarantee is wrong
    radii : the only ones asked about, rising; None for the largest of each image
    predict : only say what the smoothed classifier answers
    family : alpha is for all images together, not for each
    bracket : look for the smallest perturbation that changes the answer, too
    """

    n0: int = 100
    samples: int = SAMPLES
    alpha: float = 0.001
    radii: tuple[float, ...] | None = None
    predict: bool = False
    family: bool = False
    bracket: bool = False

    @classmethod
    def of(
        cls,
        *,
        n0: int = 100,
        samples: int | None = None,
        alpha: float = 0.001,
        radius: float | Sequence[float] = (),
        predict: bool = False,
        family: bool = False,
        bracket: bool = False,
    ) -> "Certification":
        """The plan that options ask for.

        Raises
        ------
        UsageError
            naming the parameter, if one has no use or is out of bounds
        """
        radii = tuple(sorted({radius} if isinstance(radius, float | int) else {*radius}))
        if predict and radii:
            raise UsageError("has no use with predict, which certifies none", "radius")
        if bracket and (predict or radii):
            raise UsageError("is between the largest radius of each image and what is found beyond it", "bracket")
        if not 0 < alpha < 1:
            raise UsageError("must be above 0 and below 1", "alpha", alpha)
        if len(radii) > MOST_RADII:
            raise UsageError(f"takes {MOST_RADII} radii at most", "radius")
        if samples is None:
            samples = PREDICTED_BY if predict else SAMPLES
        for name, value in (("n0", n0), ("samples", samples)):
            if value < 1:
                raise UsageError("must be at least 1", name, value)
        return cls(n0, samples, alpha, radii or None, predict, family, bracket)

    @property
    def answers(self) -> bool:
        """Whether it finds out for every image what the smoothed classifier answers, and not only within radii."""
        return not self.radii or self.radii[0] == 0

    def among(self, n: int) -> "Certification":
        """The plan for n images, with the alpha of each: that of all divided by n (Bonferroni) in a family."""
        return replace(self, alpha=self.alpha / n, family=False) if self.family else self

    def sampling(self, sigma: float) -> Sampling:
        """How votes under noise of this size are drawn and bounded.

        Raises
        ------
        UsageError
            if one of the radii cannot be certified, whatever the votes are
        """
        limit = farthest(sigma, self.samples, self.alpha)
        if self.radii is not None and self.radii[-1] > limit:
            told = f"{self.samples:,} samples of noise {sigma:g} certify {limit:.4g} at most"
            raise UsageError(told, "radius", f"{self.radii[-1]:g}")
        return Sampling(sigma, self.samples, self.alpha, self.radii)

    def reported(self, sigma: float) -> tuple[float, ...]:
        """The radii of a report: those asked about, or else 0, 0.25, 0.5 and so on as far as the samples reach."""
        if self.radii is not None:
            return self.radii
        count = min(MOST_RADII, int(farthest(sigma, self.samples, self.alpha) / STEP) + 1)
        return tuple(STEP * number for number in range(count))

    def to_json(self) -> dict[str, Any]:
        """As reports give it."""
        return {
            "n0": None if self.predict else self.n0,
            "samples": self.samples,
            "alpha": self.alpha,
            "alpha_is_of": "all images" if self.family else "each image",
            "early_stopping": self.radii is not None,
        }

    def guarantee(self, n: int) -> str:
        """What is guaranteed, in a sentence."""
        what = (
            "the answers given are those of the smoothed classifier"
            if self.predict
            else "the smoothed classifier answers the same within the radius given"
        )
        if self.family:
            return f"with probability {1 - self.alpha:g} at least, for all {n:,} images at once, {what}"
        return f"with probability {1 - self.alpha:g} at least for each image by itself, {what}"
