"""The options that all models share, and how a sweep, a vector and the seed are declared."""

from dataclasses import dataclass
from typing import Any, ClassVar

from advtool.cli.groups import Report, Talk
from advtool.cli.theory import values
from advtool.errors import UsageError
from advtool.options import Options, declarations, option


def sweep(*names: str, metavar: str, whole: bool = False, **more: Any) -> Any:
    """Declare an option of one value, a comma list, or from:to:step."""
    return option(*names, metavar=f"{metavar}[,…|:…]", parse=values.whole_sweep if whole else values.sweep, **more)


def vector(name: str, metavar: str, **more: Any) -> Any:
    """Declare an option of several numbers, or of a file of them."""
    return option(name, metavar=f"{metavar},…|FILE", parse=values.vector, **more)


def attack_norm(**more: Any) -> Any:
    """Declare the norm of the attack; its value is the exponent p."""
    return option(
        "--norm",
        metavar="linf|l2|l1|lP",
        parse=values.exponent,
        help="Norm of the attack; l3 is the 3-norm.",
        unset="linf",
        **more,
    )


def seed_for(*drawing: str) -> Any:
    """Declare the seed of a model, with the options that make it draw."""
    return option(
        "--seed", metavar="N", minimum=0, maximum=2**31 - 1, default=0, help="Seed of what is drawn.", needs=drawing
    )


@dataclass(frozen=True, kw_only=True)
class Checks(Options):
    panel: ClassVar[str] = "Checks and pictures"

    check: bool = option(
        "--check", default=False, help="Sample every printed probability; exit with 1 if one disagrees."
    )
    samples: int = option(
        "--samples",
        metavar="N",
        minimum=1000,
        maximum=10**9,
        default=400_000,
        help="Samples per probability.",
        needs="check",
    )
    seed: int = seed_for("check")
    errata: bool = option(
        "--errata", default=False, help="Show what the paper prints, what is right and why, and stop."
    )
    plot: str = option(
        "--plot",
        metavar="FILE",
        help="Draw the paper's figure, or a sweep over one option, as .png, .pdf or .svg.",
        unset="off",
    )


@dataclass(frozen=True, kw_only=True)
class Messages(Report, Talk):
    """All that the errata take."""


@dataclass(frozen=True, kw_only=True)
class Theory(Checks, Messages):
    """A model that a paper proves something about."""

    def validate(self) -> None:
        if self.errata:
            for name in declarations(type(self)):
                if name in self.given and name != "errata" and name not in declarations(Messages):
                    raise UsageError("has no use with --errata", name)
        super().validate()
