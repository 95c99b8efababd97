"""``advtool theory bernoulli``."""

from dataclasses import dataclass
from typing import ClassVar

from advtool.cli.theory.groups import Theory, seed_for, sweep, vector
from advtool.options import option


@dataclass(frozen=True, kw_only=True)
class Bernoulli(Theory):
    """The modified Bernoulli model: why robust training drops weak features, and exactly which.

    Theorem 1 and its repaired form, exact errors, and the threshold tau* below which robust training gives a feature no
    weight. --plot draws Figure 2 with tau* on it; --table trains for Table 1 (under a minute).
    """

    command = "theory bernoulli"
    panel: ClassVar[str] = "Bernoulli model"

    dim: tuple[int, ...] = sweep("--dim", metavar="D", whole=True, help="Number of features.", unset="100")
    tau_max: tuple[float, ...] = sweep("--tau-max", metavar="T", help="tau runs evenly from 0 to this.", unset="0.25")
    tau: tuple[float, ...] = vector(
        "--tau", "T", help="Biases of the features, each from 0 to 0.5.", unset="--tau-max", excludes=("dim", "tau_max")
    )
    eps: tuple[float, ...] = sweep(
        "--eps", metavar="E", help="linf radius of the attack.", unset="0.5; with --table its rows, 0.1 to 0.5"
    )
    n: tuple[int, ...] = sweep("-n", "--n", metavar="N", whole=True, help="Training samples.", unset="10000")
    mix: tuple[float, ...] = sweep(
        "--mix", metavar="P", help="Fraction of attacked steps in robust training.", unset="0.5"
    )
    weights: tuple[float, ...] = vector(
        "--weights", "W", help="A classifier (signed by theta) whose errors to show too.", unset="none"
    )
    table: bool = option(
        "--table",
        default=False,
        help="Train by the paper's recipe and print its Table 1.",
        excludes=("mix", "weights", "check"),
    )
    seeds: int = option("--seeds", metavar="K", minimum=1, help="Runs.", unset="10", needs="table")
    seed: int = seed_for("check", "table")
