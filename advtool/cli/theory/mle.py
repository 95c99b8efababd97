"""``advtool theory mle``."""

from dataclasses import dataclass
from typing import ClassVar

from advtool.cli.theory.groups import Theory, sweep, vector
from advtool.options import option


@dataclass(frozen=True, kw_only=True)
class Mle(Theory):
    """Robust maximum likelihood between two Gaussians: what covariance an l2 attack makes it learn.

    The robust covariance for any eps, its multiplier lam with bounds, and how the classifier's gradient aligns with the
    vector between the classes. --plot draws the picture of two variances.
    """

    command = "theory mle"
    panel: ClassVar[str] = "Maximum likelihood"

    variances: tuple[float, ...] = vector("--variances", "S", help="Diagonal of the true covariance.", unset="1,100")
    dim: int = option(
        "--dim",
        metavar="D",
        minimum=1,
        maximum=10**7,
        help="Repeat one variance D times.",
        unset="no",
        needs="variances",
    )
    eps: tuple[float, ...] = sweep("--eps", metavar="E", help="l2 radius of the attack.", unset="1")
    mu: tuple[float, ...] = vector("--mu", "M", help="Mean of a class.", unset="the one that is aligned worst")
    penalty: tuple[float, ...] = sweep(
        "--penalty", metavar="C", help="Also Theorem 1, with this Lagrangian penalty.", unset="none"
    )
    convention: str = option(
        "--convention",
        choices=("nll", "paper"),
        default="nll",
        help="Loss of Theorem 1: with the factor 1/2, or without.",
        needs="penalty",
    )
    residual: tuple[float, ...] = vector(
        "--residual", "V", help="Also the worst perturbation of x = mu + V.", unset="none"
    )
