"""What there is by name (a stand-in until the merge)."""

from dataclasses import dataclass

NORMS = {"l2": None, "linf": None}


@dataclass(frozen=True)
class Attack:
    name: str
    takes: frozenset


_T = {
    "fgsm": "random_start targeted",
    "pgd": "steps step_size random_start restarts keep targeted base",
    "apgd": "steps restarts loss targeted",
    "apgd-ce": "steps restarts targeted",
    "apgd-dlr": "steps restarts targeted",
    "apgd-t": "steps restarts",
    "cw": "steps targeted",
    "ddn": "steps targeted",
    "fab": "steps restarts targeted",
    "fab-t": "steps restarts targeted",
    "square": "steps restarts targeted",
}
ATTACKS = {name: Attack(name, frozenset(takes.split())) for name, takes in _T.items()}

_PREDICTS = frozenset({"arch", "normalize", "batch_size", "device"})
RULES: dict[str, frozenset[str]] = {
    "shift": frozenset(),
    "random": frozenset({"exclude_true", "seed"}),
    "map": frozenset(),
    "keep": frozenset(),
    "predict": _PREDICTS,
}
"""Rules of relabelling, with the options that each takes."""
