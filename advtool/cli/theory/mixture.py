"""``advtool theory mixture``."""

from dataclasses import dataclass
from typing import ClassVar

from advtool.cli.theory.groups import Theory, attack_norm, sweep, vector
from advtool.options import Table, option

CASES = {  # and what each takes
    "mixture": frozenset({"theta", "w", "sigma", "eps", "norm"}),
    "corollary2": frozenset({"dim", "sigma", "eps"}),
    "corollary3": frozenset({"theta_squared", "free", "sigma", "eps"}),
    "corollary4": frozenset({"theta", "free", "sigma", "eps"}),
    "squares": frozenset({"eps", "lam"}),
    "theorem7": frozenset({"w", "bias", "eps"}),
}


@dataclass(frozen=True, kw_only=True)
class Mixture(Theory):
    """Gaussian mixtures and two squares: classification risk against adversarial risk, exactly.

    R, G_adv (every perturbation counts), R_adv (only those that the Bayes classifier does not follow), and the paper's
    bound on it beside the repaired one. --plot draws the risks against eps; with --case squares that is Figure 2a.
    """

    command = "theory mixture"
    panel: ClassVar[str] = "Mixtures and squares"
    tables = (Table("case", CASES),)

    case: str = option(
        "--case",
        choices=tuple(CASES),
        default="mixture",
        help="What to compute: risks of a classifier, a corollary, two squares (Figure 2a), or Theorem 7.",
    )
    theta: tuple[float, ...] = vector("--theta", "T", help="Mean of class 1.", unset="2,0; of corollary4 2")
    w: tuple[float, ...] = vector("--w", "W", help="The classifier.", unset="1,1; of theorem7 2,0.5")
    sigma: tuple[float, ...] = sweep("--sigma", metavar="S", help="Width of the classes.", unset="1")
    eps: tuple[float, ...] = sweep(
        "--eps", metavar="E", help="Radius of the attack.", unset="0.5, or what the corollary is about"
    )
    norm: float = attack_norm()
    dim: tuple[int, ...] = sweep("--dim", metavar="P", whole=True, help="Dimension.", unset="101")
    theta_squared: tuple[float, ...] = sweep(
        "--theta-squared", metavar="T", help="Squared norm of theta.", unset="2+2√2"
    )
    free: tuple[int, ...] = sweep(
        "--free", metavar="M", whole=True, help="Dimensions off theta's support.", unset="10000"
    )
    lam: tuple[float, ...] = sweep("--lam", metavar="L", help="Weight of adversarial risk.", unset="1")
    bias: tuple[float, ...] = sweep("--bias", metavar="B", help="Constant of the classifier.", unset="0.1")
