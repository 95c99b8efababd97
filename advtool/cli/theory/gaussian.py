"""``advtool theory gaussian``."""

from dataclasses import dataclass
from typing import ClassVar

from advtool.cli.theory import values
from advtool.cli.theory.groups import Theory, attack_norm, seed_for, sweep
from advtool.errors import UsageError
from advtool.options import option


@dataclass(frozen=True, kw_only=True)
class Gaussian(Theory):
    """Two Gaussians of different widths: the trade-off between accuracy and robustness.

    Standard, adversarial and data-randomised training, bounds on their distance, and all that lies between. Without
    options it prints Table 1 of the paper, and where the paper misprints it. --plot draws its Figures 1 and 2.
    """

    command = "theory gaussian"
    panel: ClassVar[str] = "Two Gaussians"

    sigma1: tuple[float, ...] = sweep("--sigma1", metavar="S", help="Width of class 1.", unset="3")
    sigma2: tuple[float, ...] = sweep("--sigma2", metavar="S", help="Width of class 2.", unset="6")
    dim: tuple[int, ...] = sweep("--dim", metavar="D", whole=True, help="Dimension.", unset="784")
    distance: tuple[float, ...] = sweep(
        "--distance", metavar="H", help="Distance of the class means.", unset="the root of --dim, 28"
    )
    norm: float = attack_norm()
    eps: tuple[float, ...] = sweep("--eps", metavar="E", help="Radius of the attack.", unset="0.5")
    ratio: tuple[float, ...] = sweep(
        "--ratio", metavar="R", help="eps_p over the largest that the norm allows.", unset="0.5 for linf, 1 for l2"
    )
    eps_p: tuple[float, ...] = sweep(
        "--eps-p",
        metavar="E",
        help="How far the attack moves a class along the axis.",
        unset="by --norm, --eps, --ratio",
        excludes=("norm", "eps", "ratio", "delta"),
    )
    radius: tuple[float, ...] = sweep(
        "--radius", metavar="R", help="eps_p of adversarial training.", unset="that of the attack"
    )
    noise: tuple[float, ...] = sweep(
        "--noise", metavar="N", help="Noise of data-randomised training.", unset="eps_p/2, 3.5"
    )
    noise_kind: str = option(
        "--noise-kind",
        choices=("sd", "variance", "covariance"),
        default="sd",
        help="What the noise is added to: the standard deviations (as the paper computes), or the variances as its"
        " square or as it is.",
    )
    lam: tuple[float, ...] = option(
        "--lam", metavar="L,…", parse=values.lams, help="Weights of adversarial error.", unset="0,0.25,1,inf"
    )
    delta: tuple[float, ...] = option(
        "--delta",
        metavar="FILE",
        parse=values.file_vector,
        help="Difference of the means, as .npy, JSON list or text; adds the best hyperplane.",
        unset="none",
        excludes=("dim", "distance", "ratio"),
    )
    simulate: int = option(
        "--simulate", metavar="N", minimum=0, maximum=10**8, default=0, help="Also learn from up to N draws per class."
    )
    seed: int = seed_for("check", "simulate")

    def validate(self) -> None:
        super().validate()
        if {"dim", "distance", "eps_p"} <= self.given:
            raise UsageError("has no use with both --distance and --eps-p", "dim")
