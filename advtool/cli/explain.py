"""``advtool explain``: pictures of what a model looks at, with numbers beside them."""

from dataclasses import dataclass
from typing import ClassVar

from advtool import norms
from advtool.cli.evaluate import Checkpoints
from advtool.cli.groups import SOURCE, DryRun, Report, Sources, Talk
from advtool.cli.outgoing import overwriting
from advtool.cli.resizing import Resized
from advtool.cli.smoothing import Smoothed
from advtool.explain.methods import METHODS
from advtool.groups import Machine
from advtool.options import Options, Table, option
from advtool.values import fraction, words


@dataclass(frozen=True, kw_only=True)
class Method(Options):
    """How a model is looked at."""

    panel: ClassVar[str] = "Method"

    method: tuple[str, ...] = option(
        "--method",
        metavar="NAME[,NAME…]",
        parse=words,
        default=("gradient",),
        help="gradient, integrated-gradients, smoothgrad (or a list of these), large-eps, interpolate, weights or"
        " samples.",
    )
    of: str | None = option(
        "--of",
        choices=("loss", "logit"),
        help="What to attribute to pixels: the label's cross-entropy, or its logit.",
        unset="loss for gradient alone, else logit",
    )
    baseline: float = option("--baseline", metavar="G", default=0.0, help="Grey level to start from.")
    variance: float = option("--variance", metavar="V", default=0.25, help="Of the noise, in pixels².")
    adv: str = option("--adv", choices=norms.with_directions(), default="l2", help="Norm of the adversary.")
    eps: float | None = option(
        "--eps",
        metavar="E",
        minimum=0,
        parse=fraction,
        help="Radius on the [0,1] pixel scale.",
        unset="by image size (as Tsipras et al. 2018; 28×28: l2 4, linf 0.3); none for l1",
    )
    target: str = option(
        "--target",
        metavar="random|none|CLASS",
        default="none",
        help="Class to go to; none: away from the label.",
    )
    steps: int | None = option(
        "--steps",
        metavar="K",
        minimum=1,
        help="PGD steps, copies of smoothgrad, or points of integrated-gradients.",
        unset="40 (PGD in l2), 120 (in linf), 50 (smoothgrad), 64 points and more where their sum is off by over 1%",
    )
    step_size: float | None = option(
        "--step-size", metavar="A", help="Of PGD.", unset="1.5·eps/steps, 1.44·eps/steps in linf"
    )
    points: int = option("--points", metavar="K", minimum=2, maximum=200, default=20, help="Pictures on the way.")


@dataclass(frozen=True, kw_only=True)
class Layout(Options):
    """What is drawn, and where it goes."""

    panel: ClassVar[str] = "Output"

    random: bool = option(
        "--random", default=False, help="Draw the N images by the seed instead.", unset="the first ones"
    )
    columns: int = option(
        "--columns", metavar="N", minimum=1, maximum=100, default=10, help="Images to draw, of those used."
    )
    names: tuple[str, ...] = option(
        "--names", metavar="A,B,…", parse=words, default=(), help="Labels of the rows.", unset="the file names"
    )
    out: str | None = option(
        "-o",
        "--out",
        metavar="FILE|-",
        help="Picture, .png, .pdf or .svg (.gif to interpolate), PNG to a pipe.",
        unset="stdout if it is a pipe or file, else a fresh file; none with --json or --shards",
        recorded=False,
    )
    shards: str | None = option(
        "--shards",
        metavar="FILE|-",
        help="Write images and attributions as a tar, KEY.attribution.npy in float32.",
        unset="off",
        recorded=False,
    )
    force: bool = overwriting()


@dataclass(frozen=True, kw_only=True)
class Explain(Method, Checkpoints, Smoothed, Sources, Resized, Layout, Machine, Report, Talk, DryRun):
    """Draw a grid of what models look at, a row per model and a column per image, and measure it.

    Reads the test split. --method samples needs no checkpoint: it puts datasets side by side, matched by source image.
    """

    command = "explain"
    default_split = "test"
    tables = (Table("method", {method.name: method.takes for method in METHODS.values()}),)

    data: tuple[str, ...] = option(
        "--data",
        metavar="SOURCE",
        default=(),
        help=f"{SOURCE} Repeat it with --method samples.",
        unset="stdin if it is a pipe or file, else digits",
    )
    split: str | None = option(
        "--split",
        metavar="train|val|test",
        help="Part of a named dataset or directory to read.",
        unset="test; train for weights and samples",
    )
    limit: int | None = option(
        "-n",
        "--limit",
        metavar="N",
        minimum=1,
        help="Use the first N images.",
        unset="10; 4 to interpolate; weights: all",
    )
    batch_size: int | None = option(
        "--batch-size",
        metavar="N",
        minimum=1,
        help="Images at a time.",
        unset="by image size, at most 512",
        decides=False,
    )
