"""How the classes of images correspond to those of a model: by name, and by position only where names say nothing."""

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from advtool.errors import AdvtoolError, Note

NAME, CASE, POSITION = "name", "name in any case", "position"
_SHOWN = 6


class ClassNote(Note):
    """Labels were mapped by the names of their classes."""


class ClassWarning(UserWarning):
    """Labels were taken by position, since names say nothing."""


class ClassMismatch(AdvtoolError):
    """Images have classes that a model does not know; `disjoint` if it knows none of their names."""

    def __init__(self, message: str, disjoint: bool = False):
        super().__init__(message)
        self.disjoint = disjoint


@dataclass(frozen=True)
class Matching:
    """Which of a model's classes each class of the images is.

    Attributes
    ----------
    by : ``name``, ``name in any case`` or ``position``
    names : the images' classes; None if they have no names
    labels : the model's label for each label of the images; None for the same labels, however many there are
    known : the model's classes
    """

    by: str
    names: tuple[str, ...] | None
    labels: tuple[int, ...] | None
    known: tuple[str, ...]

    @property
    def changes(self) -> bool:
        """Whether any label becomes another one."""
        return self.labels is not None and self.labels != tuple(range(len(self.labels)))

    def __call__(self, labels: np.ndarray) -> np.ndarray:
        """Labels of the images, N, as labels of the model."""
        return labels if self.labels is None else np.asarray(self.labels, np.int64)[labels]

    def tell(self, images: str) -> None:
        """Say in a line what was done with the labels of these images, unless the names are the same."""
        if self.by == POSITION:
            theirs = f"classes {listed(self.names)}" if self.names else "classes without names"
            text = f"{images}: {theirs}, where the model knows {listed(self.known)}: labels go by position"
            warnings.warn(text, ClassWarning, stacklevel=2)
        elif self.names and self.names != self.known and (self.changes or not are_numbers(self.names)):
            case = " in any case" if self.by == CASE else ""
            mapped = "labels mapped" if self.changes else "same labels"
            text = f"{images}: {len(self.names)} of the model's {len(self.known)} classes by name{case}, {mapped}"
            warnings.warn(text, ClassNote, stacklevel=2)

    def to_json(self) -> dict:
        """What reports and records say."""
        if self.labels is None or self.names is None:
            return {"by": self.by, "classes": None, "labels": None}
        return {"by": self.by, "classes": list(self.names), "labels": list(self.labels)}


def match(names: tuple[str, ...] | None, known: tuple[str, ...], count: int | None = None) -> Matching:
    """Match the classes of images with those of a model.

    Names decide, whatever their order: the images may have some of the model's classes. Where no name is shared at
    all, labels keep their positions: if the images' classes are numbers or have no names, or there are as many.

    Parameters
    ----------
    names : the images' classes, in the order of their labels; None if they have none
    known : the model's classes
    count : of the images' classes, where that is known

    Raises
    ------
    ClassMismatch
        naming a class that the model does not know, or both numbers of classes
    """
    if names == known:
        return Matching(NAME, names, None, known)
    if names is None or (are_numbers(names) and (are_numbers(known) or not set(names) & set(known))):
        return _unnamed(len(names) if names else count, known)
    for by, theirs, ours in ((NAME, names, known), (CASE, _folded(names), _folded(known))):
        places = {name: place for place, name in enumerate(ours)}
        unknown = [name for name, form in zip(names, theirs, strict=True) if form not in places]
        if not unknown:
            _check_unique(theirs, ours, names)
            return Matching(by, names, tuple(places[form] for form in theirs), known)
    if len(unknown) == len(names) == len(known):
        return Matching(POSITION, names, None, known)
    if len(unknown) == len(names):
        message = f"{len(names)} classes ({listed(names)}), the model knows {len(known)} ({listed(known)})"
        raise ClassMismatch(message, disjoint=True)
    more = f" and {len(unknown) - 1} more" if len(unknown) > 1 else ""
    raise ClassMismatch(f"class '{unknown[0]}'{more} of the images, which the model does not know ({listed(known)})")


def are_numbers(names: tuple[str, ...]) -> bool:
    """Whether classes have no names but their labels."""
    return names == tuple(map(str, range(len(names))))


def listed(names: Sequence[str]) -> str:
    """The first of some names."""
    return ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")


def _unnamed(count: int | None, known: tuple[str, ...]) -> Matching:
    if count is not None and count > len(known):
        raise ClassMismatch(f"{count} classes, the model knows {len(known)}", disjoint=True)
    return Matching(NAME if are_numbers(known) else POSITION, None, None, known)


def _check_unique(theirs: tuple[str, ...], ours: tuple[str, ...], names: tuple[str, ...]) -> None:
    """Refuse names that occur twice, on either side."""
    for forms in (theirs, ours):
        counts = Counter(forms)
        if twice := [name for name, form in zip(names, theirs, strict=True) if counts[form] > 1]:
            raise ClassMismatch(f"class '{twice[0]}' occurs twice, so that names do not say which is which")


def _folded(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name.strip().casefold().replace("_", " ").replace("-", " ") for name in names)
