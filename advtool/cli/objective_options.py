"""The options of ``advtool train`` that say what is minimised and which weights are kept, and what they mean."""

from typing import Annotated

import typer

from advtool.cli import parse
from advtool.errors import UsageError

Objective = Annotated[
    str | None,
    typer.Option(
        "--objective",
        metavar="pgd|trades|mart|fast|free",
        help="What is minimised against the adversary: fast takes one step of 1.25·eps from a random point, free shares"
        " each gradient between weights and perturbation. Default: pgd.",
    ),
]
Lam = Annotated[
    str | None,
    typer.Option(
        "--lam",
        metavar="L",
        help="Of the joint objective L·ℓ(x+δ) − (L−1)·ℓ(x), for pgd and fast; 0 is standard training. Default: 1.",
    ),
]
Beta = Annotated[
    str | None,
    typer.Option("--beta", metavar="B", help="Weight of the divergence. Default: 6 for trades, 5 for mart."),
]
Replays = Annotated[
    int | None,
    typer.Option(
        "--replays",
        metavar="M",
        min=1,
        help="Times that free trains on each batch; it makes M times fewer epochs than --epochs says. Default: 4.",
    ),
]
AttackCorrectOnly = Annotated[
    bool,
    typer.Option(
        "--attack-correct-only",
        help="Leave images alone that are misclassified already, for pgd and fast. Default: off.",
    ),
]
Noise = Annotated[
    str | None,
    typer.Option(
        "--noise",
        metavar="S",
        help="Train on x + N(0, S²), not clipped, instead of against an adversary. Default: 0 (off).",
    ),
]
EpsWarmup = Annotated[
    str | None,
    typer.Option("--eps-warmup", metavar="E", help="Epochs in which eps grows from 0, linearly. Default: 0 (off)."),
]
Ema = Annotated[
    bool | None,
    typer.Option("--ema/--no-ema", help="Keep an exponential moving average of the weights. Default: off."),
]
EmaDecay = Annotated[
    str | None,
    typer.Option("--ema-decay", metavar="D", help="Decay a step at most; turns --ema on. Default: 0.999."),
]
Val = Annotated[
    str | None,
    typer.Option(
        "--val",
        metavar="F",
        help="Hold out this fraction of the training images, drawn by key, and validate on it after each epoch."
        " Default: 0 (none).",
    ),
]
Select = Annotated[
    str | None,
    typer.Option(
        "--select",
        metavar="best|last",
        help="Which epoch to keep: the last, or the best in validation. Default: best with --val, else last.",
    ),
]
Trials = Annotated[
    int | None,
    typer.Option(
        "--trials",
        metavar="N",
        min=2,
        help="Train with N seeds, --seed and those after it, and report mean and standard deviation;"
        " -o NAME.safetensors then writes NAME-SEED.safetensors. Default: one run.",
    ),
]


def settings(
    *,
    objective: str | None,
    lam: str | None,
    beta: str | None,
    replays: int | None,
    attack_correct_only: bool,
    noise: str | None,
    eps_warmup: str | None,
    ema: bool | None,
    ema_decay: str | None,
    val: str | None,
    select: str | None,
) -> dict:
    """Fields of `TrainConfig`; None where nothing was asked for."""
    from advtool.training.config import EMA_DECAY

    decay = _number(ema_decay, "--ema-decay")
    if ema is False and decay is not None:
        raise UsageError("--no-ema and --ema-decay: which of them?")
    if decay is None and ema:
        decay = EMA_DECAY
    fraction = _number(val, "--val")
    for option, value in (("--ema-decay", decay), ("--val", fraction)):
        if value is not None and value >= 1:
            raise UsageError(f"{option} {value:g}: must be below 1")
    return {
        "objective": objective,
        "lam": _number(lam, "--lam"),
        "beta": _number(beta, "--beta"),
        "replays": replays,
        "attack_correct_only": attack_correct_only or None,
        "noise": _number(noise, "--noise"),
        "eps_warmup": _number(eps_warmup, "--eps-warmup"),
        "ema_decay": decay,
        "val": fraction or None,
        "select": select,
    }


def _number(text: str | None, option: str) -> float | None:
    return None if text is None else parse.number(text, option)
