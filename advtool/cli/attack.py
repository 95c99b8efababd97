"""``advtool attack``: adversarial examples as shards."""

from dataclasses import dataclass
from typing import ClassVar

from advtool import norms, registry
from advtool.cli.groups import Account, Ascent, DryRun, Foreign, Input, Talk
from advtool.cli.outgoing import Resume, ShardOutput, Worker
from advtool.cli.resizing import Resized
from advtool.cli.settings import Preset
from advtool.cli.smoothing import Smoothing
from advtool.cli.transferring import AVERAGED, Transferring
from advtool.groups import Machine, Precision
from advtool.options import Options, Table, option
from advtool.values import fraction, listed


@dataclass(frozen=True, kw_only=True)
class Surrogates(Foreign):
    """The models that are attacked, one or several together."""

    panel: ClassVar[str] = "Model"

    ckpt: tuple[str, ...] = option(
        "--ckpt",
        metavar="FILE|DIR|-",
        default=(),
        help="Checkpoint, or another library's folder of one; repeat it to attack several together.",
        unset="stdin, if that carries safetensors",
    )
    ensemble: str | None = option(
        "--ensemble",
        choices=AVERAGED,
        help="What is averaged over several checkpoints.",
        unset="logits",
    )


@dataclass(frozen=True, kw_only=True)
class Threatened(Options):
    """What the attack is to do."""

    panel: ClassVar[str] = "Adversary"

    attack: str = option("--attack", metavar="NAME", default="pgd", help=f"{listed(list(registry.ATTACKS))}.")
    adv: str = option("--adv", choices=tuple(norms.NORMS), default="l2", help="Norm of the adversary, per image.")
    eps: float | None = option(
        "--eps",
        metavar="E",
        minimum=0,
        parse=fraction,
        help="Radius on the [0,1] pixel scale, such as 0.5 or 8/255.",
        unset="none, for attacks that look for the smallest perturbation",
    )
    targeted: bool = option(
        "--targeted", default=False, help="Push each image towards the label it carries.", unset="away from it"
    )


@dataclass(frozen=True, kw_only=True)
class Goal(Threatened):
    """What the attack is to do, and to which images."""

    panel: ClassVar[str] = "Adversary"

    attack_correct_only: bool = option(
        "--attack-correct-only",
        default=False,
        help="Leave images alone that are misclassified already (Collins et al. 2019).",
    )


@dataclass(frozen=True, kw_only=True)
class Steps(Ascent):
    """How the attack looks for a perturbation."""

    panel: ClassVar[str] = "Attack"

    steps: int | None = option(
        "--steps",
        metavar="K",
        minimum=0,
        help="Steps, or queries of square.",
        unset="50 (pgd), 10 (mi-fgsm, di-mi-fgsm), 100 (apgd, fab, fast, sdf), 1000 (cw, ddn, fmn, sigma-zero), 5000"
        " (square)",
    )


@dataclass(frozen=True, kw_only=True)
class Written(Options):
    """What is written of each image."""

    panel: ClassVar[str] = "Output"

    keep: str | None = option(
        "--keep", choices=("best", "last"), help="Iterate to write.", unset="last if --targeted, else best"
    )
    format: str = option(
        "--format",
        choices=("float32", "png8"),
        default="float32",
        help="float32 (.npy), or 8-bit PNG kept in the ball.",
    )


@dataclass(frozen=True, kw_only=True)
class Attack(
    Goal,
    Steps,
    Transferring,
    Surrogates,
    Smoothing,
    Input,
    Resized,
    Written,
    ShardOutput,
    Worker,
    Resume,
    Machine,
    Precision,
    Account,
    Preset,
    Talk,
    DryRun,
):
    """Attack every image of a stream and write the results as shards, labels kept.

    Reads the train split of a source that has splits. Attacks that look for the smallest perturbation (cw, ddn, fab)
    work without --eps; with it, what they write stays within it.
    """

    command = "attack"
    shares = True
    tables = (Table("attack", {attack.name: attack.takes for attack in registry.ATTACKS.values()}),)
