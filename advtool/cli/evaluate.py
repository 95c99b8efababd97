"""``advtool eval``: how accurate and how robust checkpoints are."""

from dataclasses import dataclass
from typing import ClassVar

from advtool import norms, registry
from advtool.cli.groups import Ascent, DryRun, Foreign, Input, Report, Talk
from advtool.cli.resizing import Resized
from advtool.cli.settings import Preset
from advtool.cli.smoothing import Smoothing
from advtool.groups import Machine, Precision
from advtool.options import Options, Table, option
from advtool.values import counts, fractions, listed


@dataclass(frozen=True, kw_only=True)
class Checkpoints(Foreign):
    """Models that were trained."""

    panel: ClassVar[str] = "Model"

    ckpt: tuple[str, ...] = option(
        "--ckpt",
        metavar="FILE|DIR|-",
        default=(),
        help="Checkpoint; repeat it to compare.",
        unset="stdin, if that carries one",
    )


@dataclass(frozen=True, kw_only=True)
class Threats(Options):
    """What the models are to withstand."""

    panel: ClassVar[str] = "Adversary"

    adv: str = option(
        "--adv",
        metavar="NORM[,NORM…]",
        default="none",
        help=f"{listed(('none', *norms.NORMS))}, per image; several: an adversary who may take any of them.",
    )
    eps: tuple[float, ...] = option(
        "--eps",
        metavar="E[,E…]",
        minimum=0,
        parse=fractions,
        default=(),
        help="Radii on the [0,1] pixel scale: 0.25,0.5 or 8/255; of several norms one each.",
    )
    attack: str = option(
        "--attack",
        metavar="NAME[,NAME…]",
        default="pgd",
        help="autoattack (-plus, -rand), or a list of attacks, each on what still stands.",
    )


@dataclass(frozen=True, kw_only=True)
class Search(Ascent):
    """How attacks look for a perturbation."""

    panel: ClassVar[str] = "Attack"

    steps: tuple[int, ...] | None = option(
        "--steps",
        metavar="K[,K…]",
        parse=counts,
        help="Steps of the attack, or queries of square; several give a curve of pgd.",
        unset="50 (pgd), 10 (mi-fgsm, di-mi-fgsm), 100 (apgd, fab, fast, sdf), 1000 (cw, ddn, fmn, sigma-zero), 5000"
        " (square)",
    )
    curve: bool = option(
        "--curve",
        default=False,
        help="Run attacks that look for the smallest perturbation once, for all radii.",
    )
    search_step_size: bool = option(
        "--search-step-size", default=False, help="Of 1/4 to 4 times the step size take the strongest."
    )


@dataclass(frozen=True, kw_only=True)
class Measured(Options):
    """What is measured and reported."""

    panel: ClassVar[str] = "What is measured"

    lam: float = option("--lam", metavar="L", default=1.0, help="Weight of adversarial risk in joint risk.")
    calls: int | None = option(
        "--calls",
        metavar="M",
        minimum=2,
        help="Fresh calls that each image of a random model is judged by.",
        unset="20",
    )
    base: str | None = option(
        "--base",
        metavar="FILE|DIR",
        help="Base classifier of the risks: a perturbation counts only where it keeps its answer.",
        unset="the label",
    )
    checks: bool = option(
        "--checks/--no-checks", default=True, help="Look for red flags on up to 100 images.", unset="on"
    )
    strict: bool = option(
        "--strict",
        default=False,
        needs="checks",
        help="Exit with 1 if there is a red flag.",
        unset="report it",
        recorded=False,
    )
    per_sample: str | None = option(
        "--per-sample",
        metavar="FILE",
        help="Write what became of each image as JSON lines; an interrupted run goes on from it.",
        unset="off",
    )
    save_adversarial: str | None = option(
        "--save-adversarial",
        metavar="FILE",
        help="Write the worst image of each sample as a shard, for `advtool verify`; or, as .npz, as x_adv and y.",
        unset="off",
        recorded=False,
    )
    robustbench: str | None = option(
        "--robustbench",
        metavar="FILE",
        help="Write the results under the standard AutoAttack as RobustBench's model_info; the rest of a file that is"
        " there stays.",
        unset="off",
        recorded=False,
    )
    plot: str | None = option(
        "--plot",
        metavar="FILE",
        help="Draw accuracy against steps or eps: .png, .pdf, .svg.",
        unset="off",
        recorded=False,
    )


_NEEDS_ADVERSARY = frozenset(
    {
        *("eps", "attack", "steps", "step_size", "search_step_size", "random_start", "restarts", "loss"),
        *("lam", "base", "per_sample", "plot", "eot", "calls", "curve"),
        *("save_adversarial", "robustbench"),
    }
)
_ONCE = frozenset({"restarts", "base", "per_sample", "calls", "curve", "save_adversarial", "robustbench"})
_TAKES = {attack.name: attack.takes for attack in registry.ATTACKS.values()}
_TAKES["pgd"] |= {"search_step_size"}
_TAKES |= {name: _TAKES[name] | {"curve"} for name, attack in registry.ATTACKS.items() if attack.minimal}
_TAKES |= {name: frozenset().union(*(_TAKES[each] for each in own)) for name, own in registry.AUTOATTACK.items()}


def _is_curve(options: Search) -> bool:
    return options.search_step_size or len(options.steps or ()) > 1


@dataclass(frozen=True, kw_only=True)
class Evaluate(
    Checkpoints, Smoothing, Input, Resized, Threats, Search, Measured, Machine, Precision, Report, Preset, Talk, DryRun
):
    """Report clean accuracy, and robust accuracy under attack at one or more radii, with 95% intervals.

    Reads the test split. The checkpoint may come from stdin: advtool train … | advtool eval --adv l2 --eps 0.5
    """

    command = "eval"
    shares = True
    default_split = "test"
    tables = (
        Table("adv", {"none": frozenset(), **dict.fromkeys(norms.NORMS, _NEEDS_ADVERSARY)}),
        Table("attack", _TAKES),
        Table(
            "several",
            {
                "one number of --steps": frozenset(
                    {"restarts", "base", "per_sample", "calls", "curve", "save_adversarial", "robustbench"}
                ),
                "a curve (several --steps, or --search-step-size)": frozenset(),
            },
            lambda options: [
                "a curve (several --steps, or --search-step-size)" if _is_curve(options) else "one number of --steps"
            ],
        ),
    )
