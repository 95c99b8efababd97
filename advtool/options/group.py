"""A group of options, or all those of a command: their values, what is refused, and what is recorded of them."""

import dataclasses
import shlex
from dataclasses import dataclass, field
from typing import Any, ClassVar

from advtool.errors import UsageError
from advtool.options.check import check_value
from advtool.options.declaration import declarations, excluding, spelled
from advtool.options.table import Table
from advtool.values import plain, text


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of a command, flat; one object that is passed on whole.

    Attributes
    ----------
    command : its words on the command line
    tables : which options the choices among them use
    order : of the panels; by default that of the groups
    given : the fields that the user named
    shares : whether several processes share the work of the command
    """

    command: ClassVar[str] = ""
    tables: ClassVar[tuple[Table, ...]] = ()
    order: ClassVar[tuple[str, ...]] = ()
    shares: ClassVar[bool] = False
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
                raise UsageError(f"needs {spelled(type(self), declared.needed)}", name)
            if beside := [other for other in excluding(type(self), name) if getattr(self, other)]:
                raise UsageError(f"has no use with {spelled(type(self), beside)}", name)

    def asked(self, name: str) -> bool:
        """Whether the user named the field, or it has another value than without."""
        (default,) = (f.default for f in dataclasses.fields(self) if f.name == name)
        return name in self.given or getattr(self, name) != default

    def values(self) -> dict[str, Any]:
        """Every option that is recorded, as JSON has it; None for those that the others leave without a use."""
        recorded = [name for name, declared in declarations(type(self)).items() if declared.recorded]
        return {name: plain(getattr(self, name)) if self.uses(name) else None for name in recorded}

    def resolved(self) -> dict[str, Any]:
        """What a dry run prints of the options: their values, and which of them the user gave."""
        recorded = [name for name, declared in declarations(type(self)).items() if declared.recorded]
        return {"options": self.values(), "given": [name for name in recorded if name in self.given]}

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
        kept = [name for name in found if name in self.given and found[name].recorded and found[name].decides]
        words = [word for name in kept for word in self._words(name)]
        return shlex.join(["advtool", *self.command.split(), *words])

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
