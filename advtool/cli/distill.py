"""``advtool distill``: datasets out of a model's features."""

from dataclasses import dataclass
from typing import ClassVar

from advtool.cli.groups import Account, Checkpoint, DryRun, Input, Talk
from advtool.cli.outgoing import Resume, ShardOutput, Worker
from advtool.cli.settings import Preset
from advtool.groups import Machine, Memory, Precision
from advtool.options import Options, option


@dataclass(frozen=True, kw_only=True)
class Descent(Options):
    """How to look for an image with the same representation."""

    panel: ClassVar[str] = "Descent"

    start: str = option(
        "--from",
        metavar="image|noise|uniform|SOURCE",
        default="image",
        help="Where to start: at another image of the training set (of the set itself where it has none), at Gaussian"
        " or uniform noise, or at images of another source.",
    )
    steps: int | None = option(
        "--steps",
        metavar="K",
        minimum=0,
        help="Gradient steps.",
        unset="1000 up to 64×64 pixels, else 2000; 10000 from noise",
    )
    step_size: float | None = option(
        "--step-size",
        metavar="A",
        above=0,
        help="l2 length of a step, on the [0,1] pixel scale.",
        unset="0.1 up to 64×64 pixels, else 1",
    )
    tol: float | None = option(
        "--tol", metavar="T", help="Stop an image once its relative distance is at most this.", unset="off"
    )
    layer: str | None = option(
        "--layer", metavar="NAME", help="Module whose output to match.", unset="the input of the last affine layer"
    )


@dataclass(frozen=True, kw_only=True)
class Distill(
    Checkpoint, Input, Descent, ShardOutput, Worker, Resume, Machine, Precision, Memory, Account, Preset, Talk, DryRun
):
    """Turn each image into another one with the same representation under a model, labels kept.

    From a robust model that is the robust dataset D_R of Ilyas et al. 2019, from a standard one the non-robust D_NR.
    Reads the train split of a source that has splits.
    """

    command = "distill"
    shares = True

    ckpt: str | None = option(
        "--robust",
        "--ckpt",
        metavar="FILE|DIR|-",
        help="Checkpoint whose features to keep.",
        unset="stdin, if that carries safetensors",
    )
    amp: bool | None = option(
        "--amp/--no-amp",
        help="Compute the steps in bfloat16; distances are float32's.",
        unset="on for GPUs and CPUs with bfloat16 instructions",
    )
