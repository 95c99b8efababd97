"""``advtool certify``: radii in which no perturbation changes the answer of a smoothed model."""

from dataclasses import dataclass
from typing import ClassVar

from advtool.cli.evaluate import Checkpoints
from advtool.cli.groups import DryRun, Input, Report, Talk
from advtool.cli.resizing import Resized
from advtool.groups import Machine
from advtool.options import Options, Table, option
from advtool.values import fractions


@dataclass(frozen=True, kw_only=True)
class Guarantee(Options):
    """What is to be guaranteed, and how surely."""

    panel: ClassVar[str] = "Guarantee"

    adv: str = option(
        "--adv",
        choices=("l2", "linf"),
        default="l2",
        help="l2 by randomised smoothing, linf by bounds of small networks: linear, mlp, cnn-small.",
    )
    eps: tuple[float, ...] = option(
        "--eps",
        metavar="E[,E…]",
        parse=fractions,
        default=(),
        help="linf radii on the [0,1] pixel scale, such as 0.01 or 2/255.",
        unset="none; bounds have to have one",
    )
    sigma: tuple[float, ...] = option(
        "--sigma",
        metavar="S[,S…]",
        parse=fractions,
        default=(),
        help="Deviation of the Gaussian noise on the [0,1] pixel scale; several: a report for each.",
        unset="the noise that the checkpoint was trained with",
    )
    n0: int = option(
        "--n0",
        metavar="N",
        minimum=1,
        maximum=10**9,
        default=100,
        help="Draws that choose the class of which the others decide.",
    )
    samples: int | None = option(
        "--samples",
        metavar="N",
        minimum=1,
        maximum=10**9,
        help="Draws of an image, at most.",
        unset="100000; 1000 with --predict",
    )
    alpha: float = option(
        "--alpha",
        metavar="A",
        above=0,
        below=1,
        default=0.001,
        help="Chance, at most, that the guarantee of an image is wrong.",
    )
    radius: tuple[float, ...] = option(
        "--radius",
        metavar="R[,R…]",
        parse=fractions,
        default=(),
        help="Ask only whether the model is robust in these l2 radii, and stop drawing once that is known.",
        unset="the largest radius of each image, by all draws",
    )
    family: bool = option(
        "--family", default=False, help="Let --alpha be for all images together.", unset="for each image"
    )
    bracket: bool = option(
        "--bracket",
        default=False,
        excludes=("radius",),
        help="Look for the smallest perturbation that changes each answer, too, and report the gap.",
    )
    predict: bool = option(
        "--predict",
        default=False,
        excludes=("n0", "radius", "bracket", "plot"),
        help="Only say what the smoothed model answers, or that it abstains.",
    )


_SMOOTHING = frozenset({"sigma", "n0", "samples", "alpha", "radius", "family", "bracket", "predict"})
_SMOOTHING |= {"per_sample", "plot", "seed", "batch_size"}


@dataclass(frozen=True, kw_only=True)
class Kept(Options):
    """What is written beside the report."""

    panel: ClassVar[str] = "Output"

    per_sample: str | None = option(
        "--per-sample",
        metavar="FILE",
        help="Write what is guaranteed for each image as JSON lines; an interrupted run goes on from it.",
        unset="off",
    )
    plot: str | None = option(
        "--plot",
        metavar="FILE",
        help="Draw certified accuracy against radius: .png, .pdf, .svg.",
        unset="off",
        recorded=False,
    )


@dataclass(frozen=True, kw_only=True)
class Certify(Checkpoints, Input, Resized, Guarantee, Kept, Machine, Report, Talk, DryRun):
    """Certify in which radius no perturbation changes the answer: in l2 by randomised smoothing (Cohen et al. 2019).

    Reads the test split. The smoothed model answers what the model answers most often under Gaussian noise. Models
    trained with noise are certified best: advtool train --noise 0.25 | advtool certify --radius 0.25,0.5
    """

    command = "certify"
    default_split = "test"
    tables = (Table("adv", {"l2": _SMOOTHING, "linf": frozenset({"eps"})}),)

    batch_size: int | None = option(
        "--batch-size", metavar="N", minimum=1, help="Draws at a time.", unset="by the size of images, at most 8192"
    )
