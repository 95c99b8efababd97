"""Options: each is declared once, as a field of a dataclass.

From the declaration come the command line, its help and completions, what is refused, and what is recorded. Groups of
options are dataclasses that commands inherit from; a group with a `panel` is a section of ``--help``.
"""

import dataclasses
import inspect
import math
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import NoneType
from typing import Any, ClassVar, get_args, get_type_hints

from advtool.errors import UsageError, unknown
from advtool.values import fraction, integer, listed, plain, text

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


@dataclass(frozen=True)
class Table:
    """What the entries of a choice take: attacks, methods, rules, objectives, modes.

    Attributes
    ----------
    by : the option, or options, by which an entry is chosen
    takes : entry → the fields that it uses. A field that no entry names is for all of them
    chosen : the entries that options choose; by default what stands in the field `by`, a comma list
    """

    by: str
    takes: Mapping[str, frozenset[str]]
    chosen: Callable[[Any], Sequence[str]] | None = None

    def entries(self, options: Any) -> Sequence[str]:
        """The entries that are chosen; all of them while nothing is."""
        if self.chosen:
            return self.chosen(options)
        value = getattr(options, self.by)
        if value is None:
            return list(self.takes)
        return value if isinstance(value, tuple) else value.split(",")

    def takers(self, name: str) -> list[str]:
        """The entries that take a field; none if it is for all."""
        return [entry for entry, taken in self.takes.items() if name in taken]

    def used(self, options: Any, name: str) -> bool:
        """Whether one of the entries chosen takes the field, or it is for all."""
        takers = self.takers(name)
        return not takers or not set(takers).isdisjoint(self.entries(options))

    def refusal(self, options: Any, name: str) -> str:
        names = ", ".join(self.entries(options))
        return f"is for {self.words(name)}, not for {self._spelled(names)}"

    def words(self, name: str) -> str:
        """Who takes a field, in words."""
        return self._spelled(listed(self.takers(name)))

    def _spelled(self, names: str) -> str:
        return f"--{self.by.replace('_', '-')} {names}" if self.chosen is None else names


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of a command, flat; one object that is passed on whole.

    Attributes
    ----------
    command : its words on the command line
    tables : which options the choices among them use
    order : of the panels; by default that of the groups
    given : the fields that the user named
    """

    command: ClassVar[str] = ""
    tables: ClassVar[tuple[Table, ...]] = ()
    order: ClassVar[tuple[str, ...]] = ()
    given: frozenset[str] = field(default=frozenset(), repr=False)

    def validate(self) -> None:
        """Raise UsageError for a value that there is not, and for an option that the others leave without a use."""
        for table in self.tables:
            table.entries(self)  # raises where the choice itself is none
        for name, declared in declarations(type(self)).items():
            if not self.asked(name):
                continue
            check_value(declared, name, getattr(self, name))
            for table in self.tables:
                if not table.used(self, name):
                    raise UsageError(table.refusal(self, name), name)
            if declared.needed and not any(getattr(self, other) for other in declared.needed):
                raise UsageError(f"needs {_spelled(type(self), declared.needed)}", name)
            if beside := [other for other in excluding(type(self), name) if getattr(self, other)]:
                raise UsageError(f"has no use with {_spelled(type(self), beside)}", name)

    def asked(self, name: str) -> bool:
        """Whether the user named the field, or it has another value than without."""
        (default,) = (f.default for f in dataclasses.fields(self) if f.name == name)
        return name in self.given or getattr(self, name) != default

    def values(self) -> dict[str, Any]:
        """Every option that is recorded, as JSON has it; None for those that the others leave without a use."""
        recorded = [name for name, declared in declarations(type(self)).items() if declared.recorded]
        return {name: plain(getattr(self, name)) if self.uses(name) else None for name in recorded}

    def uses(self, name: str) -> bool:
        """Whether the options chosen leave this one a use."""
        needed, beside = declarations(type(self))[name].needed, excluding(type(self), name)
        return (
            all(table.used(self, name) for table in self.tables)
            and (not needed or any(getattr(self, other) for other in needed))
            and not any(getattr(self, other) for other in beside)
        )

    def history(self) -> str:
        """The command line with what was given and matters, spelled in one way whatever way it was typed."""
        found = declarations(type(self))
        kept = [word for name in found if name in self.given and found[name].recorded for word in self._words(name)]
        return shlex.join(["advtool", *self.command.split(), *kept])

    def _words(self, name: str) -> list[str]:
        declared, value = declarations(type(self))[name], getattr(self, name)
        if isinstance(value, bool):
            yes, _, no = declared.spelling.partition("/")
            return [yes if value else no]
        if not declared.names:
            return [text(value)]
        if isinstance(value, tuple) and declared.parse is None:
            return [word for part in value for word in (declared.spelling, text(part))]
        return [declared.spelling, text(value)]


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


def _spelled(kind: type, names: Sequence[str]) -> str:
    return listed([spelling(kind, name) for name in names])


def help_of(kind: type[Options], name: str, default: Any) -> str:
    """The help of an option: what it is, who takes it, and its default."""
    declared = declarations(kind)[name]
    parts = [declared.help]
    for table in kind.tables:
        takers = table.takers(name)
        missing = [entry for entry in table.takes if entry not in takers]
        if takers and missing:
            parts.append(f"Needs --{table.by}." if missing == ["none"] else f"For {table.words(name)}.")
    if declared.needed:
        parts.append(f"Needs {_spelled(kind, declared.needed)}.")
    if beside := excluding(kind, name):
        parts.append(f"Not with {_spelled(kind, beside)}.")
    if declared.unset or default is not None:
        parts.append(f"Default: {declared.unset or _shown(default)}.")
    return " ".join(parts)


def checked(declared: Option, name: str, kind: type, given: str) -> Any:
    """The value that a text stands for.

    Raises
    ------
    UsageError
        naming the option, if it stands for none
    """
    try:
        value = (declared.parse or {int: integer, float: fraction}.get(kind, kind))(given)
    except UsageError as error:
        raise error if error.parameter else UsageError(error.message, name, error.value) from None
    check_value(declared, name, value)
    return value


def check_value(declared: Option, name: str, value: Any) -> None:
    """Raise UsageError for a value that is none of the choices, or out of bounds."""
    if declared.choices and value not in declared.choices:
        raise unknown(declared.spelling, value, declared.choices)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return
    least = 0 if declared.parse is None and isinstance(value, float) and declared.minimum is None else declared.minimum
    for broken, words in (
        (not math.isfinite(value), "finite"),
        (least is not None and value < least, f"at least {least:g}" if least is not None else ""),
        (declared.maximum is not None and value > declared.maximum, f"at most {declared.maximum}"),
        (declared.above is not None and value <= declared.above, f"above {declared.above}"),
        (declared.below is not None and value >= declared.below, f"below {declared.below}"),
    ):
        if broken:
            raise UsageError(f"must be {words}", name, text(value))


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return text(value)
