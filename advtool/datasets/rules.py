"""Rules that give a sample another label: from its label and its key alone, whatever order or shard it comes in."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from advtool.errors import UsageError
from advtool.registry import load
from advtool.seeds import derive


class Rule(Protocol):
    """A rule over labels.

    Attributes
    ----------
    classes : names of the classes that the new labels count
    """

    @property
    def classes(self) -> tuple[str, ...]: ...

    def __call__(self, label: int, key: str) -> int | None:
        """The new label of a sample; None if it is to be dropped."""

    def describe(self) -> dict:
        """What the head of the stream says about the rule, as JSON."""


@dataclass(frozen=True)
class Shift:
    """(label + `by`) mod C: the labels of D_det (Ilyas et al. 2019, section 3.2) with `by` 1."""

    classes: tuple[str, ...]
    by: int

    def __call__(self, label: int, key: str) -> int:
        return (label + self.by) % len(self.classes)

    def describe(self) -> dict:
        return {"rule": "shift", "by": self.by}


@dataclass(frozen=True)
class Random:
    """A class drawn uniformly from all, or from all but the sample's own: D_rand (Ilyas et al. 2019, section 3.2)."""

    classes: tuple[str, ...]
    seed: int = 0
    exclude_true: bool = False

    def __call__(self, label: int, key: str) -> int:
        draw = derive(self.seed, "relabel", key)
        if not self.exclude_true:
            return draw % len(self.classes)
        return (label + 1 + draw % (len(self.classes) - 1)) % len(self.classes)

    def describe(self) -> dict:
        return {"rule": "random", "seed": self.seed, "exclude_true": self.exclude_true}


@dataclass(frozen=True)
class Grouping:
    """Old classes gathered into new ones; samples of classes that are in no group are dropped.

    Attributes
    ----------
    classes : names of the new classes
    new_label : old label → new label
    name : of the grouping, for the record
    """

    classes: tuple[str, ...]
    new_label: Mapping[int, int]
    name: str

    def __call__(self, label: int, key: str) -> int | None:
        return self.new_label.get(label)

    def describe(self) -> dict:
        groups = [
            sorted(old for old, new in self.new_label.items() if new == index) for index in range(len(self.classes))
        ]
        return {"rule": self.name, "groups": groups}


@dataclass(frozen=True)
class Way:
    """A way to new labels.

    Attributes
    ----------
    takes : the options that it uses, of those that not all ways use
    maker : where the function is that makes the rule, of what was asked, the class names, and the options that it takes
        by name; empty where the labels are a model's
    """

    takes: frozenset[str] = frozenset()
    maker: str = ""

    def rule(self, asked: object, classes: tuple[str, ...], **options: object) -> Rule:
        """The rule that is asked for."""
        made: Rule = load(self.maker)(asked, classes, **options)
        return made


def shifted(by: int, classes: tuple[str, ...]) -> Rule:
    """The rule of a shift."""
    return Shift(classes, by)


def random(asked: bool, classes: tuple[str, ...], seed: int, exclude_true: bool) -> Rule:
    """The rule of random labels.

    Raises
    ------
    UsageError
        if there is no other class to draw
    """
    if exclude_true and len(classes) == 1:
        raise UsageError("there is only one class", "exclude_true")
    return Random(classes, seed, exclude_true)


RULES: Mapping[str, Way] = {
    "shift": Way(maker="advtool.datasets.rules:shifted"),
    "random": Way(frozenset({"exclude_true", "seed"}), "advtool.datasets.rules:random"),
    "map": Way(maker="advtool.datasets.groupings:load"),
    "keep": Way(maker="advtool.datasets.groupings:keep"),
    "predict": Way(frozenset({"arch", "normalize", "weights", "batch_size", "device"})),
}
"""The ways to new labels, by the names of their options."""
