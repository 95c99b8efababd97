"""Declaring an option as a field of a dataclass, and what can be read off such a class."""

import dataclasses
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import NoneType
from typing import Any, get_args, get_type_hints

from advtool.values import listed

_KEY = "option"


@dataclass(frozen=True)
class Option:
    """How an option is called, read and explained.

    Attributes
    ----------
    names : its spellings, as in ``-n``, ``--limit`` or ``--amp/--no-amp``; an argument if there is none
    metavar : what stands for its value
    help : a sentence or two, without the default
    unset : in words, what is done where the option is not given; None if its value says it
    minimum, maximum : of a number
    above, below : what a number has to exceed, or to stay under
    parse : text → value, raising UsageError; by default as the field's type says
    choices : the only values there are
    needs : another option without which this one does nothing, or several of which one is enough
    excludes : others that do nothing beside this one
    recorded : whether it is a part of what was done, and not only of where to and how loud
    decides : whether what is made depends on it, by more than rounding; what does not is left out of histories
    """

    names: tuple[str, ...]
    help: str
    metavar: str | None = None
    unset: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    above: float | None = None
    below: float | None = None
    parse: Callable[[str], Any] | None = None
    choices: tuple[str, ...] = ()
    needs: str | tuple[str, ...] | None = None
    excludes: tuple[str, ...] = ()
    recorded: bool = True
    decides: bool = True

    @property
    def needed(self) -> tuple[str, ...]:
        """The options of which one has to be given."""
        return (self.needs,) if isinstance(self.needs, str) else self.needs or ()

    @property
    def spelling(self) -> str:
        """The long name, or the only one."""
        return next((name for name in self.names if name.startswith("--")), self.names[0] if self.names else "")


def option(*names: str, help: str, default: Any = None, **more: Any) -> Any:
    """Declare a field as an option; keywords are the attributes of `Option`.

    A field whose default is None has a type without None, as in ``lr: float``: it is None only until what was asked
    for is resolved.
    """
    return field(default=default, metadata={_KEY: Option(names, help, **more)})


_KNOWN: dict[type, dict[str, Option]] = {}


def declarations(kind: type) -> dict[str, Option]:
    """Field → option, by panel, in the order of the groups that a class inherits from."""
    if kind not in _KNOWN:
        _KNOWN[kind] = _declared(kind)
    return _KNOWN[kind]


def _declared(kind: type) -> dict[str, Option]:
    declared = {f.name: f.metadata[_KEY] for f in dataclasses.fields(kind) if _KEY in f.metadata}
    groups = {name: group for group in kind.__mro__ for name in inspect.get_annotations(group) if name in declared}
    ordered = [name for group in kind.__mro__ for name, first in groups.items() if first is group]
    where = panels(kind)
    order = list(getattr(kind, "order", ())) or list(dict.fromkeys(where.get(name, "") for name in ordered))
    ordered.sort(key=lambda name: order.index(where.get(name, "")))
    return {name: declared[name] for name in ordered}


def panels(kind: type) -> dict[str, str]:
    """Field → the panel of the group that declared it first."""
    found: dict[str, str] = {}
    for group in kind.__mro__:
        if panel := group.__dict__.get("panel"):
            found |= dict.fromkeys(inspect.get_annotations(group), panel)
    return found


def types(kind: type) -> dict[str, Any]:
    """Field → its type, without None."""
    hints = get_type_hints(kind)
    return {
        name: next((part for part in get_args(hint) if part is not NoneType), hint)
        if NoneType in get_args(hint)
        else hint
        for name, hint in hints.items()
    }


def spelling(kind: type, name: str) -> str:
    """How an option is written on the command line."""
    declared = declarations(kind).get(name)
    return declared.spelling.partition("/")[0] if declared else f"--{name.replace('_', '-')}"


def excluding(kind: type, name: str) -> list[str]:
    """The options beside which this one does nothing."""
    return [other for other, declared in declarations(kind).items() if name in declared.excludes]


def spelled(kind: type, names: Sequence[str]) -> str:
    """Several options as written on the command line: --a, --b or --c."""
    return listed([spelling(kind, name) for name in names])
