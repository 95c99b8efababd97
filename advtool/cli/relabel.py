"""``advtool relabel``: other labels, the same images."""

from dataclasses import dataclass
from typing import ClassVar

from advtool.cli.groups import Account, DryRun, Foreign, Input, Talk
from advtool.cli.outgoing import ShardOutput, Worker
from advtool.datasets.rules import RULES
from advtool.errors import UsageError
from advtool.groups import Machine
from advtool.options import Options, Table, option
from advtool.values import listed


@dataclass(frozen=True, kw_only=True)
class Rule(Options):
    """Which labels; one of them."""

    panel: ClassVar[str] = "Rule"

    shift: int | None = option("--shift", metavar="K", help="Label y becomes (y + K) mod C.", unset="off")
    random: bool = option("--random", default=False, help="A class drawn uniformly, by the sample's key and --seed.")
    exclude_true: bool = option("--exclude-true", default=False, help="Never the sample's own class.")
    map: str | None = option(
        "--map",
        metavar="NAME|FILE",
        help="Group classes: restricted-imagenet, or JSON or CSV of old and new classes; others are dropped.",
        unset="off",
    )
    keep: str | None = option(
        "--keep", metavar="CLASS,…", help="Keep these classes, by name or label, renumbered.", unset="off"
    )
    predict: str | None = option(
        "--predict", metavar="FILE|DIR", help="Labels as this checkpoint predicts.", unset="off"
    )
    classes: int | None = option(
        "--classes", metavar="C", minimum=1, help="Number of classes.", unset="as the source says"
    )


def _asked(options: Rule) -> list[str]:
    asked = [f"--{name}" for name in RULES if getattr(options, name) not in (None, False)]
    if len(asked) != 1:
        raise UsageError(f"give one of {listed([f'--{name}' for name in RULES], 'and')}")
    return asked


@dataclass(frozen=True, kw_only=True)
class Relabel(Rule, Input, Foreign, ShardOutput, Worker, Machine, Account, Talk, DryRun):
    """Give each image of a stream another label; images pass byte for byte.

    Reads the train split of a source that has splits. The label that a sample had first stays in its .json member.
    """

    command = "relabel"
    tables = (Table("rule", {f"--{name}": way.takes for name, way in RULES.items()}, _asked),)
