"""Which options the entries of a choice use."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from advtool.errors import unknown
from advtool.values import listed


@dataclass(frozen=True)
class Table:
    """What the entries of a choice take: attacks, methods, rules, objectives, modes.

    Attributes
    ----------
    by : the option, or options, by which an entry is chosen
    takes : entry → the fields that it uses. A field that no entry names is for all of them
    chosen : the entries that options choose; by default what stands in the field `by`, a comma list
    others : whether there are entries that stand in no table
    """

    by: str
    takes: Mapping[str, frozenset[str]]
    chosen: Callable[[Any], Sequence[str]] | None = None
    others: bool = False

    def entries(self, options: Any) -> Sequence[str]:
        """The entries that are chosen; all of them while nothing is.

        Raises
        ------
        UsageError
            for one that there is not, with the nearest that there are
        """
        if self.chosen:
            return self.chosen(options)
        value = getattr(options, self.by)
        if value is None:
            return list(self.takes)
        entries = value if isinstance(value, tuple) else value.split(",")
        for entry in entries:
            if entry not in self.takes and not self.others:
                raise unknown(self.by, entry, self.takes, parameter=self.by)
        return entries

    def takers(self, name: str) -> list[str]:
        """The entries that take a field; none if it is for all."""
        return [entry for entry, taken in self.takes.items() if name in taken]

    def used(self, options: Any, name: str) -> bool:
        """Whether one of the entries chosen takes the field, or it is for all."""
        takers = self.takers(name)
        return not takers or not set(takers).isdisjoint(self.entries(options))

    def refusal(self, options: Any, name: str) -> str:
        """Why a field has no use, in words."""
        names = ", ".join(self.entries(options))
        return f"is for {self.words(name)}, not for {self._spelled(names)}"

    def words(self, name: str) -> str:
        """Who takes a field, in words."""
        return self._spelled(listed(self.takers(name)))

    def _spelled(self, names: str) -> str:
        return f"--{self.by.replace('_', '-')} {names}" if self.chosen is None else names
