"""Noise that a model adds to its images when it is used."""

from dataclasses import dataclass
from typing import ClassVar

from advtool.options import Options, option


@dataclass(frozen=True, kw_only=True)
class Smoothing(Options):
    """What is done to a model before it is used."""

    panel: ClassVar[str] = "Model"

    noise: float = option(
        "--noise",
        metavar="S",
        minimum=0,
        default=0.0,
        help="Deviation of Gaussian noise that the model adds to its images, anew in each call.",
    )
