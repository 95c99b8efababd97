"""Objectives by name. Torch is not imported here."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """An objective.

    Attributes
    ----------
    objective : where its class is, an `Objective`
    takes : the options that it uses, of those that not all objectives use
    beta : default weight of its divergence
    """

    objective: str
    takes: frozenset[str]
    beta: float = 0.0


_PGD = frozenset({"steps", "step_size", "awp", "accumulate"})
_JOINT = frozenset({"step_size", "random_start", "lam", "attack_correct_only", "label_smoothing"})
OBJECTIVES = {
    "pgd": Kind("advtool.training.objectives.adversarial:Adversarial", _PGD | _JOINT | {"union", "noise"}),
    "trades": Kind("advtool.training.objectives.trades:Trades", _PGD | {"beta", "label_smoothing"}, beta=6.0),
    "mart": Kind("advtool.training.objectives.mart:Mart", _PGD | {"random_start", "beta"}, beta=5.0),
    "fast": Kind("advtool.training.objectives.adversarial:Fast", _JOINT | {"awp", "accumulate"}),
    "n-fgsm": Kind("advtool.training.objectives.n_fgsm:NFgsm", _JOINT - {"random_start"} | {"awp", "accumulate"}),
    "free": Kind("advtool.training.objectives.free:Free", frozenset({"step_size", "replays", "label_smoothing"})),
}
"""What is minimised against an adversary."""
