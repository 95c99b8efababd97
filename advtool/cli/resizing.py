"""The options by which images are made those that a model takes."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

from advtool.errors import UsageError
from advtool.options import Options, option
from advtool.preprocessing import CROP_MODES, INTERPOLATIONS, Preprocessing
from advtool.values import fraction

RESIZING = ("size", "crop_pct", "interpolation", "crop_mode")


@dataclass(frozen=True, kw_only=True)
class Resized(Options):
    """How images are made those that the model takes."""

    panel: ClassVar[str] = "Data"

    size: int | None = option(
        "--size",
        metavar="PIXELS",
        minimum=1,
        help="Scale the shorter side to PIXELS/crop-pct and crop the centre square of PIXELS.",
        unset="as the checkpoint says; else images stay as they are",
    )
    crop_pct: float | None = option(
        "--crop-pct",
        metavar="P",
        above=0,
        maximum=1,
        parse=fraction,
        help="Part of the shorter side that the square takes, such as 0.875 or 224/256.",
        unset="as a checkpoint says, else 1",
    )
    interpolation: str | None = option(
        "--interpolation", choices=INTERPOLATIONS, help="How to scale.", unset="as a checkpoint says, else bicubic"
    )
    crop_mode: str | None = option(
        "--crop-mode",
        choices=CROP_MODES,
        help="center: crop; squash: scale both sides alike, whatever their ratio.",
        unset="as a checkpoint says, else center",
    )

    def preprocessing(self, said: Preprocessing | None = None) -> Preprocessing | None:
        """What is asked for, on top of what a checkpoint says; None where neither says anything.

        Raises
        ------
        UsageError
            if nobody says to what size
        """
        asked = {name: getattr(self, name) for name in RESIZING if getattr(self, name) is not None}
        if not asked:
            return said
        if said is None and self.size is None:
            raise UsageError("needs a --size: nothing else says one", next(iter(asked)))
        return replace(said or Preprocessing(1), **asked, unless=None)

    def decided(self, preprocessing: Preprocessing | None) -> Self:
        """The options with what is done to images in the end."""
        found: dict[str, Any] = {name: getattr(preprocessing, name, None) for name in RESIZING}
        return replace(self, **found)
