"""``advtool transfer``: how attacks on some models do on others."""

from dataclasses import dataclass
from typing import ClassVar

from advtool import registry
from advtool.cli.attack import Steps, Threatened
from advtool.cli.groups import DryRun, Foreign, Input, Report, Talk
from advtool.cli.resizing import Resized
from advtool.cli.transferring import AVERAGED, Transferring
from advtool.groups import Machine, Precision
from advtool.options import Options, Table, option
from advtool.values import listed


@dataclass(frozen=True, kw_only=True)
class Compared(Foreign):
    """The models that are attacked, and those that the images are shown to."""

    panel: ClassVar[str] = "Model"

    ckpt: tuple[str, ...] = option(
        "--ckpt",
        metavar="FILE|DIR|-",
        default=(),
        help="Checkpoint that is attacked, a row of the matrix; repeat it for more.",
        unset="stdin, if that carries one",
    )
    target: tuple[str, ...] = option(
        "--target",
        metavar="FILE|DIR",
        default=(),
        help="Checkpoint that is shown the images, a column of the matrix; repeat it for more.",
        unset="those that are attacked",
    )
    ensemble: str | None = option(
        "--ensemble",
        choices=AVERAGED,
        help="One more row: all that are attacked together, by the mean of their logits or of their losses.",
        unset="no such row",
    )


@dataclass(frozen=True, kw_only=True)
class Chosen(Threatened):
    """What the attack is to do."""

    panel: ClassVar[str] = "Adversary"

    attack: str = option("--attack", metavar="NAME", default="mi-fgsm", help=f"{listed(list(registry.ATTACKS))}.")


@dataclass(frozen=True, kw_only=True)
class Drawn(Options):
    panel: ClassVar[str] = "Output"

    plot: str | None = option(
        "--plot",
        metavar="FILE",
        help="Draw the matrix as .png, .pdf or .svg.",
        unset="off",
        recorded=False,
    )


@dataclass(frozen=True, kw_only=True)
class Transfer(Chosen, Steps, Transferring, Compared, Input, Resized, Drawn, Machine, Precision, Report, Talk, DryRun):
    """Attack each of some models, show what comes of it to each of others, and report how many images fool them.

    Reads the test split. Of the images that a model classified correctly it counts those that it no longer does; with
    --targeted, of those that it did not give the label that they carry, those that it now does.
    """

    command = "transfer"
    default_split = "test"
    tables = (Table("attack", {attack.name: attack.takes for attack in registry.ATTACKS.values()}),)
