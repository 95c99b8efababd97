"""``advtool train``: a classifier, plainly or against an adversary."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from advtool.cli.groups import DryRun, Input, Report, Talk
from advtool.cli.outgoing import CheckpointOutput
from advtool.cli.settings import Preset
from advtool.options import Options, option
from advtool.training.options import Training


@dataclass(frozen=True, kw_only=True)
class Start(Options):
    """What training starts from."""

    panel: ClassVar[str] = "Network"

    init: str | None = option(
        "--init",
        metavar="FILE|DIR|-",
        help="Start from this checkpoint, or another library's folder of one.",
        unset="random weights",
    )
    pretrained: bool = option(
        "--pretrained",
        default=False,
        help="Start from the weights that timm or torchvision publish for --arch; fetched only with --download.",
    )
    normalize: str | None = option(
        "--normalize",
        metavar="none|imagenet|MEANS/STDS",
        needs="init",
        help="Normaliser of another library's checkpoint that holds none: imagenet, or a mean and a deviation per"
        " channel.",
        unset="none",
    )
    weights: str | None = option(
        "--weights",
        metavar="plain|ema|NAME",
        needs="init",
        help="Which weights of another library's checkpoint that holds several, such as state_dict_ema.",
        unset="the moving average, else the first",
    )


@dataclass(frozen=True, kw_only=True)
class Watched(Options):
    """What is measured as training goes on, and at its end."""

    panel: ClassVar[str] = "What is measured"

    eval_data: tuple[str, ...] = option(
        "--eval-data",
        metavar="[NAME=]SOURCE",
        default=(),
        help="Record accuracy on these images (test split, where there is one) as training goes on; repeat it for"
        " more sets.",
        unset="none",
    )
    eval_every: int = option(
        "--eval-every",
        metavar="N",
        minimum=1,
        default=1,
        needs="eval_data",
        help="Epochs between two such records.",
    )
    plot: str | None = option(
        "--plot",
        metavar="FILE",
        help="Draw accuracy against epochs as .png, .pdf or .svg.",
        unset="off",
        recorded=False,
    )
    log: Path | None = option(
        "--log",
        metavar="DIR",
        help="Write a line of JSON an epoch to DIR/train.jsonl and, where tensorboard is installed, an event file.",
        unset="off",
        recorded=False,
    )
    test_limit: int = option(
        "--test-limit",
        metavar="N",
        minimum=0,
        default=1000,
        help="Test images to attack in the final evaluation, drawn by key; 0 for all.",
    )
    trials: int | None = option(
        "--trials",
        metavar="N",
        minimum=2,
        help="Train with N seeds, --seed and those after it, and report mean and standard deviation;"
        " -o NAME.safetensors then writes NAME-SEED.safetensors.",
        unset="one run",
    )


@dataclass(frozen=True, kw_only=True)
class Train(Input, Training, Start, Watched, CheckpointOutput, Report, Preset, Talk, DryRun):
    """Train a classifier, plainly or adversarially, and write its checkpoint.

    Afterwards it is evaluated once on the test split, where there is one: clean, and under PGD of 50 steps. Which epoch
    is kept never depends on that.
    """

    command = "train"
    shares = True
    order = (
        "Data",
        "Adversary",
        "Objective",
        "Network",
        "Optimiser",
        "What is kept",
        "What is measured",
        "Output",
        "Machine",
        "Configuration",
        "Messages",
    )
