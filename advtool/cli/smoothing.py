"""Noise that a model adds to its images when it is used."""

from dataclasses import dataclass
from typing import ClassVar

from advtool.options import Options, option


@dataclass(frozen=True, kw_only=True)
class Smoothed(Options):
    """The smoothed model in place of the model."""

    panel: ClassVar[str] = "Model"

    smooth: float = option(
        "--smooth",
        metavar="S",
        minimum=0,
        default=0.0,
        help="Take the smoothed model, which gives the answer that most calls give under noise of deviation S.",
    )


@dataclass(frozen=True, kw_only=True)
class Smoothing(Smoothed):
    """What is done to a model before it is used."""

    panel: ClassVar[str] = "Model"

    noise: float = option(
        "--noise",
        metavar="S",
        minimum=0,
        default=0.0,
        excludes=("smooth",),
        help="Deviation of Gaussian noise that the model adds to its images, anew in each call.",
    )

    @property
    def deviation(self) -> float:
        """Of the noise in each call."""
        return self.noise or self.smooth
