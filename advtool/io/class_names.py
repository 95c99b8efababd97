"""Labels that are class names, as numbers: by the list of the head, else by the sorted names of the whole source."""

import re
from collections.abc import Callable, Sequence

from advtool.io.head import MAX_CLASSES, Head
from advtool.io.keys import LABEL
from advtool.io.samples import MAX_LABEL, Sample

_NUMBER = re.compile(r"[+-]?[0-9][0-9]*([.][0-9]*)?")
_SHOWN = 6

Names = Callable[[], tuple[str, ...]]
"""Reads a source through for its class names."""


class Numbering:
    """Labels as numbers; the first of them says whether they are numbers or names, if the head lists no names.

    Attributes
    ----------
    names : the classes, once it is known that labels are their names and the head does not list them

    Parameters
    ----------
    find : reads the source through for the names; None for one that cannot be read twice
    key : where the labels are
    """

    def __init__(self, find: Names | None, key: str = LABEL):
        self.names: tuple[str, ...] | None = None
        self._find, self._key, self._numbers = find, key, False
        self._listed: tuple[str, ...] = ()
        self._places: dict[str, int] = {}

    def __call__(self, value: int | str, sample: Sample, head: Head) -> int:
        """The number that a label stands for.

        Raises
        ------
        AdvtoolError
            naming the sample: for a name that is not listed, a name among numbers or the other way round
        """
        if head.classes is not None:
            return self._in_list(value, sample, head.classes)
        if self.names is None and (isinstance(value, int) or is_number(value)):
            self._numbers = True
            return checked(value, sample)
        if self._numbers:
            raise sample.fault(f"label '{value}' is a class name, but those before it are numbers")
        if self.names is None:
            self.names = self._all_names(value, sample)
            if head.num_classes not in (None, len(self.names)):
                found = f"{len(self.names)} names ({listed(self.names)})"
                raise sample.fault(f"labels have {found}, but the head says {head.num_classes} classes")
        if isinstance(value, int):
            raise sample.fault(f"label {value} is a number, but those before it are class names")
        return self._in_list(value, sample, self.names)

    def _in_list(self, value: int | str, sample: Sample, classes: tuple[str, ...]) -> int:
        if classes is not self._listed:
            self._listed, self._places = classes, {name: place for place, name in enumerate(classes)}
        if isinstance(value, str) and value in self._places:
            return self._places[value]
        if isinstance(value, int) or is_number(value):
            label = checked(value, sample)
            if label >= len(classes):
                raise sample.fault(f"label {label}, but there are {len(classes)} classes")
            return label
        raise sample.fault(f"label '{value}' is none of the {len(classes)} classes ({listed(classes)})")

    def _all_names(self, value: int | str, sample: Sample) -> tuple[str, ...]:
        if self._find is None:
            way = f"write shards from the files first: `advtool data SHARDS --label-key {self._key} -o NEW.tar`"
            raise sample.fault(f"label '{value}' is a class name, and a stream is not read twice to list them; {way}")
        names = self._find()
        if len(names) > MAX_CLASSES:
            raise sample.fault(f"labels have {len(names)} names, more than {MAX_CLASSES}")
        return names


class Collecting(Numbering):
    """Labels that are only looked at; `found` holds the names among them."""

    def __init__(self) -> None:
        super().__init__(None)
        self.found: set[str] = set()

    def __call__(self, value: int | str, sample: Sample, head: Head) -> int:
        if head.classes is None and isinstance(value, int):
            raise sample.fault(f"label {value} is a number, but others are class names")
        self.found.add(str(value))
        if len(self.found) > MAX_CLASSES:
            raise sample.fault(f"labels have more than {MAX_CLASSES} names")
        return 0


def is_number(text: str) -> bool:
    """Whether a text is a number rather than a name."""
    return _NUMBER.fullmatch(text) is not None


def checked(value: int | str, sample: Sample) -> int:
    """A number that may be a label."""
    text = str(value)
    if not text.isdigit():
        raise sample.fault(f"label {text} is not a non-negative integer")
    if len(text.lstrip("0")) > 9 or int(text) > MAX_LABEL:
        raise sample.fault(f"label {text[:20]}, more than {MAX_LABEL}")
    return int(text)


def listed(names: Sequence[str]) -> str:
    """The first of some names."""
    return ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
