"""What there is by name (a stand-in until the merge)."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Norm:
    example: str


NORMS = {"l2": Norm("0.5"), "linf": Norm("8/255")}


def check_radius(norm: str, eps: float) -> None:
    from advtool.errors import UsageError

    if norm == "linf" and eps > 1:
        raise UsageError(f"linf eps is on the [0,1] pixel scale; did you mean {eps:g}/255?", "eps", f"{eps:g}")


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
AUTOATTACK = ("apgd-ce", "apgd-t", "fab-t", "square")
