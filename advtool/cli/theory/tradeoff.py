"""``advtool theory tradeoff``."""

from dataclasses import dataclass
from typing import ClassVar

from advtool.cli.theory.groups import Theory, sweep
from advtool.options import option


@dataclass(frozen=True, kw_only=True)
class Tradeoff(Theory):
    """One strong and many weak features: what accuracy costs in robustness.

    f_avg, the bound of Theorem 2.1, soft-margin SVMs trained plainly and adversarially (Theorem 2.2, where it holds),
    and the best trade-off of linear rules, which --plot draws.
    """

    command = "theory tradeoff"
    panel: ClassVar[str] = "Strong and weak features"

    dim: tuple[int, ...] = sweep("--dim", metavar="D", whole=True, help="Number of weak features.", unset="10000")
    eta: tuple[float, ...] = sweep("--eta", metavar="H", help="Mean of the weak features.", unset="4/√dim")
    p: tuple[float, ...] = sweep(
        "--p", metavar="P", help="How often the strong feature is right, from 0.5.", unset="0.7"
    )
    eps: tuple[float, ...] = sweep("--eps", metavar="E", help="linf radius of the attack.", unset="2 eta")
    train_eps: tuple[float, ...] = sweep(
        "--train-eps", metavar="E", help="Radius in adversarial training.", unset="--eps"
    )
    lam: tuple[float, ...] = sweep(
        "--lam", metavar="L", help="Penalty of the SVM, L/2 times the squared norm.", unset="weights of unit norm"
    )
    t: tuple[float, ...] = sweep(
        "--t", metavar="T", help="Also the rule sign(T x_1 + z), z the weak features.", unset="none"
    )
    all_linear: bool = option(
        "--all-linear", default=False, help="Let the curve use fewer weak features too.", unset="equal weights"
    )
