"""The attacks that there are, by name. A new one is one file, and one line here.

Nothing is imported before it is used, so that help is fast.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from advtool.errors import UsageError, unknown
from advtool.norms import NORMS, load, with_directions

if TYPE_CHECKING:
    from torch import Tensor, nn

    from advtool.ball import Ball

TRANSFER = ("momentum", "diversity", "translation")
"""What can be asked of attacks that are made for other models than the one attacked."""

OPTIONS = ("steps", "step_size", "random_start", "restarts", "loss", "keep", "targeted", "eot", *TRANSFER)
"""What can be asked of attacks."""

_UNASKED = {"restarts": 1, "targeted": False, "eot": 1}
"""Values that every attack can be asked for, since they say what it does without being asked."""


@dataclass(frozen=True)
class Attack:
    """An attack that can be asked for by name.

    Attributes
    ----------
    function : where it is; it takes (model, inputs, labels, ball) and keyword-only options
    takes : those of its options that a user may choose, out of `OPTIONS`
    norms : those that it is made for; None for all with directions
    minimal : whether it looks for the smallest perturbation, and so needs no radius
    gradients : whether it uses any
    fixed : options that belong to the name
    preset : options that have another value than the function's unless they are asked for
    resolved : where there is a function of the ball and all options that fills in those that are None because they
        depend on others, and refuses what does not go together
    """

    name: str
    function: str
    takes: frozenset[str]
    norms: tuple[str, ...] | None = None
    minimal: bool = False
    gradients: bool = True
    fixed: Mapping[str, Any] = field(default_factory=dict)
    preset: Mapping[str, Any] = field(default_factory=dict)
    resolved: str | None = None

    def made_for(self) -> tuple[str, ...]:
        """The norms that it is made for."""
        return with_directions() if self.norms is None else self.norms

    @property
    def follows_losses(self) -> bool:
        """Whether it follows the losses of several models, and not only their mean logits."""
        return self.gradients and not self.minimal and self.name != "fast"

    def load(self) -> Callable[..., Tensor]:
        """The function."""
        function: Callable[..., Tensor] = load(self.function)
        return function

    def defaults(self) -> dict[str, Any]:
        """The options it has, with the values of its signature or of its name; None where they depend on others."""
        parameters = inspect.signature(self.load()).parameters
        own = {name: parameters[name].default for name in OPTIONS if name in self.takes}
        return {**own, **self.preset, **self.fixed}

    def resolve(self, ball: Ball, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Every option that the attack will use, with its value.

        Parameters
        ----------
        asked : options by name; None leaves one to the attack, any other value is used as it is

        Raises
        ------
        UsageError
            if the attack cannot do what is asked
        """
        if ball.name not in self.made_for():
            message = f"is only for {' or '.join(self.made_for())}, not for {ball.name}"
            raise UsageError(message, parameter="attack", value=self.name)
        if not (self.minimal or ball.is_bounded):
            raise UsageError(f"{self.name} needs a radius", parameter="eps")
        for name, value in asked.items():
            if value is not None and name not in self.takes and value != _UNASKED.get(name):
                raise refusal(name, (self,))
            if isinstance(value, int | float) and not value >= (least := 1 if name in ("restarts", "eot") else 0):
                raise UsageError(f"must be at least {least}", parameter=name, value=value)
        options = self.defaults()
        options |= {name: asked[name] for name in options if name in self.takes and asked.get(name) is not None}
        if self.resolved:
            options = load(self.resolved)(ball, {"targeted": False, **options})
        known = (*OPTIONS, *(name for name in self.preset if name not in OPTIONS))
        return {name: options[name] for name in known if name in options}

    def plan(self, ball: Ball, asked: Mapping[str, Any] | None = None) -> Planned:
        """The attack with its ball and all of its options; raises what `resolve` does."""
        return Planned(self, ball, self.resolve(ball, asked or {}))


@dataclass(frozen=True)
class Planned:
    """An attack with nothing left to choose: call it with a model, inputs and labels.

    Attributes
    ----------
    options : every one of `OPTIONS` that the attack uses, with its value
    """

    attack: Attack
    ball: Ball
    options: Mapping[str, Any]

    def __call__(
        self,
        model: nn.Module,
        inputs: Tensor,
        labels: Tensor,
        *,
        ids: Tensor | None = None,
        seed: int = 0,
        amp: bool = False,
        early_stop: bool = False,
    ) -> Tensor:
        """Adversarial inputs, in smaller batches where one does not fit.
        With `early_stop` the first success of an example is enough."""
        from advtool.memory import piecewise

        attack = partial(self.attack.load(), **self.options, seed=seed, amp=amp)
        if early_stop and "early_stop" in inspect.signature(attack.func).parameters:
            attack.keywords["early_stop"] = True
        return piecewise(lambda x, y, keys: attack(model, x, y, self.ball, ids=keys), inputs, labels, ids)

    def with_options(self, **options: Any) -> Planned:
        """The same with other values of some options."""
        return replace(self, options={**self.options, **options})

    @property
    def name(self) -> str:
        """Of the attack."""
        return self.attack.name

    @property
    def targeted(self) -> bool:
        """Whether labels are targets."""
        return bool(self.options.get("targeted", False))

    def to_json(self) -> dict[str, Any]:
        """All that was chosen or follows from it; null for what the attack does not take, `TRANSFER` apart."""
        where = {"adv": self.ball.name, "eps": self.ball.eps if self.ball.is_bounded else None}
        return {"attack": self.name, **where, **dict.fromkeys(OPTIONS[: -len(TRANSFER)]), **self.options}


def get(name: str) -> Attack:
    """The attack of that name.

    Raises
    ------
    UsageError
        if there is none
    """
    if name not in ATTACKS:
        raise unknown("attack", name, (*ATTACKS, *AUTOATTACK), parameter="attack")
    return ATTACKS[name]


def ensemble(names: str, norm: str = "l2") -> tuple[Attack, ...]:
    """The attacks of a comma-separated list; a version of AutoAttack, see `AUTOATTACK`, stands for its own.

    Parameters
    ----------
    norm : name of the norm that they are for

    Raises
    ------
    UsageError
        if there is no attack of one of the names, or one is listed twice
    """
    listed = [member for name in names.split(",") for member in _members(name, norm)]
    for attack in listed:
        if [each.name for each in listed].count(attack.name) > 1:
            raise UsageError(f"{attack.name} is listed twice", parameter="attack", value=names)
    return tuple(listed)


def _members(name: str, norm: str) -> tuple[Attack, ...]:
    if name not in AUTOATTACK:
        return (get(name),)
    also = _IN_L1 if norm == "l1" else {}
    presets = {member: {**preset, **also.get(member, {})} for member, preset in AUTOATTACK[name].items()}
    return tuple(replace(get(member), preset=preset) for member, preset in presets.items())


def plans(attacks: Iterable[Attack], ball: Ball, asked: Mapping[str, Any]) -> tuple[Planned, ...]:
    """Several attacks in the same ball, each with those of the options asked for that it takes.

    Raises
    ------
    UsageError
        if none of them takes one of the options, or one cannot do what is asked
    """
    attacks = tuple(attacks)
    for name, value in asked.items():
        if value is not None and value != _UNASKED.get(name) and not any(name in attack.takes for attack in attacks):
            raise refusal(name, attacks)
    own = ({name: value for name, value in asked.items() if name in attack.takes} for attack in attacks)
    return tuple(attack.plan(ball, options) for attack, options in zip(attacks, own, strict=True))


def refusal(option: str, attacks: Iterable[Attack]) -> UsageError:
    """The error for an option that none of these attacks takes."""
    names = ", ".join(attack.name for attack in attacks)
    takers = ", ".join(attack.name for attack in ATTACKS.values() if option in attack.takes)
    return UsageError(f"{names} has no such option" + (f"; {takers} do" if takers else ""), parameter=option)


def _takes(*names: str) -> frozenset[str]:
    return frozenset(names)


_APGD = "advtool.attacks.apgd:apgd"
_SEARCHES = _takes("steps", "restarts", "targeted", "eot")
_MI_FGSM = "advtool.attacks.mi_fgsm:mi_fgsm"
_MOMENTUM = _takes("steps", "step_size", "targeted", "eot", *TRANSFER)
_EVERY = tuple(NORMS)
_MINIMAL = _takes("steps", "targeted", "eot")

ATTACKS = {
    attack.name: attack
    for attack in (
        Attack("fgsm", "advtool.attacks.fgsm:fgsm", _takes("random_start", "targeted", "eot")),
        Attack(
            "pgd",
            "advtool.attacks.pgd:pgd",
            _takes("steps", "step_size", "random_start", "restarts", "keep", "targeted", "eot"),
            resolved="advtool.attacks.pgd:resolved",
        ),
        Attack("apgd", _APGD, _SEARCHES | {"loss"}, resolved="advtool.attacks.apgd:resolved"),
        Attack("apgd-ce", _APGD, _SEARCHES, fixed={"loss": "ce"}),
        Attack("apgd-dlr", _APGD, _SEARCHES - {"targeted"}, fixed={"loss": "dlr", "targeted": False}),
        Attack("apgd-t", "advtool.attacks.apgd:apgd_t", _SEARCHES - {"targeted"}),
        Attack("mi-fgsm", _MI_FGSM, _MOMENTUM, resolved="advtool.attacks.mi_fgsm:resolved"),
        Attack(
            "di-mi-fgsm", _MI_FGSM, _MOMENTUM, preset={"diversity": 0.5}, resolved="advtool.attacks.mi_fgsm:resolved"
        ),
        Attack("fast", "advtool.attacks.fast:fast", _takes("steps", "eot")),
        Attack("cw", "advtool.attacks.cw:cw", _MINIMAL, norms=("l2",), minimal=True),
        Attack("ddn", "advtool.attacks.ddn:ddn", _MINIMAL, norms=("l2",), minimal=True),
        Attack("fmn", "advtool.attacks.fmn:fmn", _MINIMAL, norms=_EVERY, minimal=True),
        Attack("sdf", "advtool.attacks.sdf:sdf", _MINIMAL - {"targeted"}, norms=("l2",), minimal=True),
        Attack("sigma-zero", "advtool.attacks.sigma_zero:sigma_zero", _MINIMAL, norms=("l0",), minimal=True),
        Attack("fab", "advtool.attacks.fab:fab", _SEARCHES - {"targeted"}, minimal=True),
        Attack("fab-t", "advtool.attacks.fab:fab_t", _SEARCHES, norms=_EVERY, minimal=True),
        Attack(
            "square",
            "advtool.attacks.square:square",
            _SEARCHES - {"eot"},
            norms=("l2", "linf", "l1"),
            gradients=False,
        ),
    )
}

AUTOATTACK: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "autoattack": {"apgd-ce": {}, "apgd-t": {}, "fab-t": {}, "square": {}},
    "autoattack-plus": {
        "apgd-ce": {"restarts": 5},
        "apgd-dlr": {"restarts": 5},
        "fab": {"restarts": 5},
        "square": {},
        "apgd-t": {},
        "fab-t": {},
    },
    "autoattack-rand": {"apgd-ce": {"eot": 20}, "apgd-dlr": {"eot": 20}},
}
"""The versions of Croce and Hein 2020 (https://arxiv.org/abs/2003.01690): attacks in order, and what they preset."""

_IN_L1 = {"apgd-ce": {"restarts": 5}, "apgd-t": {"target_classes": 5}}
"""What they preset in l1 besides (Croce and Hein 2021, https://arxiv.org/abs/2103.01208)."""
