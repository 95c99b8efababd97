"""Rules that give a sample another label: from its label and its key alone, whatever order or shard it comes in."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from advtool.seeds import derive

RULES: Mapping[str, frozenset[str]] = {
    "shift": frozenset(),
    "random": frozenset({"exclude_true", "seed"}),
    "map": frozenset(),
    "keep": frozenset(),
    "predict": frozenset({"arch", "normalize", "batch_size", "device"}),
}
"""The ways to new labels → the options that each takes, of those that not all take."""


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
