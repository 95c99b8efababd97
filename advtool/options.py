"""Options: each is declared once, as a field of a dataclass.

From the declaration come the command line, its help and completions, what is refused, and what is recorded. Groups of
options are dataclasses that commands inherit from; a group with a `panel` is a section of ``--help``.
"""

import dataclasses
import math
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, get_type_hints

from advtool.errors import UsageError, unknown

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
        if self.chosen:
            return self.chosen(options)
        value = getattr(options, self.by)
        return value if isinstance(value, tuple) else str("none" if value is None else value).split(",")

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
    given : the fields that the user named
    """

    command: ClassVar[str] = ""
    tables: ClassVar[tuple[Table, ...]] = ()
    given: frozenset[str] = field(default=frozenset(), repr=False)

    def refuse_unused(self) -> None:
        """Raise UsageError for an option that was given and that the others given do not use."""
        for name, declared in declarations(type(self)).items():
            if name not in self.given:
                continue
            for table in self.tables:
                if not table.used(self, name):
                    raise UsageError(table.refusal(self, name), name)
            if declared.needed and not any(getattr(self, other) for other in declared.needed):
                raise UsageError(f"needs {_spelled(type(self), declared.needed)}", name)
            if beside := [other for other in excluding(type(self), name) if getattr(self, other)]:
                raise UsageError(f"has no use with {_spelled(type(self), beside)}", name)

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


def declarations(kind: type) -> dict[str, Option]:
    """Field → option, in the order of the groups that a class inherits from."""
    fields = {f.name: f for f in dataclasses.fields(kind)}
    found: dict[str, Option] = {}
    for group in kind.__mro__:
        for name in group.__dict__.get("__annotations__", {}):
            if name in fields and _KEY in fields[name].metadata:
                found.setdefault(name, fields[name].metadata[_KEY])
    return found


def panels(kind: type) -> dict[str, str]:
    """Field → the panel of the group that declared it first."""
    found: dict[str, str] = {}
    for group in kind.__mro__:
        if panel := group.__dict__.get("panel"):
            found |= dict.fromkeys(group.__dict__.get("__annotations__", {}), panel)
    return found


def types(kind: type) -> dict[str, Any]:
    """Field → its type."""
    return get_type_hints(kind)


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


def fraction(given: str) -> float:
    """A finite number ≥ 0, as a decimal or a fraction such as 8/255."""
    from fractions import Fraction

    try:
        value = float(Fraction(given.strip())) if "/" in given else float(given)
    except ZeroDivisionError:
        raise UsageError("division by zero", value=given) from None
    except (ValueError, OverflowError):
        raise UsageError("not a number or a fraction such as 8/255", value=given) from None
    if not math.isfinite(value):
        raise UsageError("must be finite", value=given)
    if value < 0:
        raise UsageError("must not be negative", value=given)
    return value


def fractions(given: str) -> tuple[float, ...]:
    """A comma list of them."""
    return tuple(fraction(part) for part in given.split(","))


def counts(given: str) -> tuple[int, ...]:
    """A comma list of positive integers."""
    parts = [part.strip() for part in given.split(",")]
    if not all(part.isascii() and part.isdigit() and 0 < int(part) < 2**31 for part in parts):
        raise UsageError("must be positive integers, separated by commas", value=given)
    return tuple(map(int, parts))


def words(given: str) -> tuple[str, ...]:
    """A comma list of names."""
    return tuple(part.strip() for part in given.split(","))


def checked(declared: Option, name: str, kind: type, given: str) -> Any:
    """The value that a text stands for.

    Raises
    ------
    UsageError
        naming the option, if it stands for none
    """
    try:
        if declared.choices and given not in declared.choices:
            raise unknown(declared.spelling, given, declared.choices)
        value = declared.parse(given) if declared.parse else fraction(given) if kind is float else kind(given)
    except UsageError as error:
        raise error if error.parameter or declared.choices else UsageError(error.message, name, error.value) from None
    for bound, beyond, side in ((declared.minimum, -1, "least"), (declared.maximum, 1, "most")):
        if bound is not None and isinstance(value, int | float) and (value - bound) * beyond > 0:
            raise UsageError(f"must be at {side} {bound:g}", name, given)
    return value


def listed(names: Sequence[str], word: str = "or") -> str:
    """Names in words: a, b or c."""
    return f" {word} ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def text(value: Any) -> str:
    """A value as it is typed; numbers so that they are read back exactly."""
    if isinstance(value, tuple):
        return ",".join(map(text, value))
    if isinstance(value, float):
        in_levels = round(value * 255)
        if in_levels > 0 and in_levels / 255 == value and len(repr(value)) > 8:
            return f"{in_levels}/255"
        return repr(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    return str(value)


def plain(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, tuple):
        return [plain(part) for part in value]
    return str(value) if isinstance(value, Path) else value


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return text(value)
