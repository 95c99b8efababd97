"""Groupings of classes: built in, from a JSON or CSV file, or from a list of the classes to keep."""

import csv
import json
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from advtool import bounds
from advtool.datasets.rules import Grouping
from advtool.errors import AdvtoolError, UsageError, unknown
from advtool.io import regular
from advtool.values import is_label

_MAPS = Path(__file__).parent / "maps"
BUILT_IN = {"restricted-imagenet": 1000}
"""Name → number of classes that it groups. Restricted ImageNet: Ilyas et al. 2019, Table 4."""

_HEADERS = {("old", "new"), ("from", "to")}
_Fault = Callable[[str], UsageError]


def keep(text: str, classes: tuple[str, ...]) -> Grouping:
    """The classes in a comma list of names or labels, renumbered in that order."""
    fault = partial(UsageError, parameter="keep")
    places = _places(classes)
    olds = [_labels(part.strip(), places, fault) for part in text.split(",")]
    return _grouping([(classes[label], [label]) for labels in olds for label in labels], "keep", fault)


def load(name: str, classes: tuple[str, ...]) -> Grouping:
    """A grouping by its name, or from a file.

    JSON holds ``{"new": [old, …], …}`` or ``{"old": "new", …}``; CSV holds lines ``old,new``. An old class is a name,
    a label, or in a list also a range of labels such as ``"151-268"``. Where all new ones are numbers 0 to K-1 they
    are the labels; else they are names, labelled in the order of their appearance. What is not mentioned, or has null
    or nothing as its new class, is dropped.

    Raises
    ------
    UsageError
        if there is no such file, it holds something else, or it names classes that are not there
    """
    fault = partial(UsageError, parameter="map", value=name)
    if name in BUILT_IN and not Path(name).exists():
        if len(classes) != BUILT_IN[name]:
            raise fault(f"groups {BUILT_IN[name]:,} classes, but the data has {len(classes)}")
        return _from_lists(json.loads((_MAPS / f"{name}.json").read_text("utf-8")), classes, name, fault)
    path = Path(name)
    if not path.is_file():
        if path.suffix in (".json", ".csv") or "/" in name:
            raise fault("no such file")
        raise unknown("map", name, BUILT_IN)
    try:
        text = regular.read_text(path, bounds.JSON_BYTES)
    except AdvtoolError as error:
        raise fault(f"cannot be read ({str(error).removeprefix(f'{path}: ')})") from None
    if text.lstrip().startswith("{"):
        return _from_json(text, classes, name, fault)
    return _from_pairs(_csv_pairs(text, fault), classes, name, fault)


def _from_json(text: str, classes: tuple[str, ...], name: str, fault: _Fault) -> Grouping:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise fault(f"not JSON ({error})") from None
    if content and all(isinstance(value, list) for value in content.values()):
        return _from_lists(content, classes, name, fault)
    if any(isinstance(value, list | dict | float | bool) for value in content.values()):
        raise fault('expected {"new": ["old", …], …} or {"old": "new", …}')
    return _from_pairs(content.items(), classes, name, fault)


def _csv_pairs(text: str, fault: _Fault) -> list[tuple[str, str]]:
    lines = text.splitlines()
    if len(lines) > bounds.ROWS:
        raise fault(f"more than {bounds.ROWS:,} lines")
    try:
        rows = [[cell.strip() for cell in row] for row in csv.reader(lines) if any(row)]
    except csv.Error as error:
        raise fault(f"not CSV ({error})") from None
    if not all(len(row) == 2 for row in rows):
        raise fault("expected two columns, old,new, or a JSON object")
    pairs = [(old, new) for old, new in rows]
    return pairs[1:] if pairs and tuple(cell.lower() for cell in pairs[0]) in _HEADERS else pairs


def _from_lists(groups: dict[str, list], classes: tuple[str, ...], name: str, fault: _Fault) -> Grouping:
    places, seen, listed = _places(classes), set[int](), []
    for new, olds in groups.items():
        labels: list[int] = []
        for old in olds:
            found = _labels(str(old), places, fault, True)
            if twice := seen.intersection(found):
                raise fault(f"class {min(twice)} is named twice")
            seen.update(found)
            labels += found
        listed.append((new, labels))
    return _grouping(listed, name, fault)


def _from_pairs(
    pairs: Iterable[tuple[str, str | int | None]], classes: tuple[str, ...], name: str, fault: _Fault
) -> Grouping:
    places = _places(classes)
    groups: dict[str, list[int]] = {}
    for old, new in pairs:
        labels = _labels(old, places, fault)
        if new is not None and new != "":
            groups.setdefault(str(new), []).extend(labels)
    if groups and {*groups} == {str(label) for label in range(len(groups))}:
        groups = dict(sorted(groups.items(), key=lambda item: int(item[0])))
    return _grouping(list(groups.items()), name, fault)


def _grouping(groups: list[tuple[str, list[int]]], name: str, fault: _Fault) -> Grouping:
    new_label: dict[int, int] = {}
    for index, (new, olds) in enumerate(groups):
        for old in olds:
            if old in new_label:
                raise fault(f"class {old} is named twice")
            new_label[old] = index
        if not olds:
            raise fault(f"class '{new}' has no members")
    if not new_label:
        raise fault("maps no class")
    return Grouping(tuple(new for new, _ in groups), new_label, Path(name).name)


def _places(classes: tuple[str, ...]) -> dict[str, int]:
    """Where each class is, the first of several of one name."""
    return {name: place for place, name in reversed([*enumerate(classes)])}


def _labels(text: str, classes: dict[str, int], fault: _Fault, ranges: bool = False) -> list[int]:
    """The old labels that a class name, a label, or a range of labels stands for."""
    if text in classes:
        return [classes[text]]
    first, dash, last = text.partition("-")
    if ranges and dash and is_label(first) and is_label(last):
        labels = range(int(first), int(last) + 1)
    elif is_label(text):
        labels = range(int(text), int(text) + 1)
    else:
        labels = range(0)
    if not labels:
        raise fault(unknown("class", text, classes).message)
    if labels[-1] >= len(classes):
        raise fault(f"label {labels[-1]}, but the data has {len(classes)} classes")
    return list(labels)
