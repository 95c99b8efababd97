"""The errors that a user meets: each is one line, and each knows its exit code."""

import difflib
from collections.abc import Iterable, Mapping
from itertools import islice

from advtool import bounds

_LISTED, _LONGEST = 20, 150


class AdvtoolError(Exception):
    """The data is bad or the run failed: exit code 1."""

    exit_code = 1


class Note(UserWarning):
    """Something that was done and that the user should know of, though nothing is wrong: one line."""


class UsageError(AdvtoolError):
    """The request asks for something impossible: exit code 2.

    Parameters
    ----------
    parameter : name of the parameter at fault, as in Python; the command line shows it as its option
    value : of that parameter, to be shown with it
    """

    exit_code = 2

    def __init__(self, message: str, parameter: str | None = None, value: object = None):
        super().__init__(message)
        self.message, self.parameter, self.value = message, parameter, value

    def __str__(self) -> str:
        return self.describe(self.parameter)

    def describe(self, name: str | None) -> str:
        """The line to show, with the parameter called `name`."""
        if name is None:
            return self.message
        return f"{name}{'' if self.value is None else f' {_shown(self.value)}'}: {self.message}"


def _shown(value: object) -> str:
    """A value in a line: in quotes if it would not be seen, and not the whole of a very long one."""
    text = str(value)
    if not text.strip():
        return repr(text)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def unknown(what: str, name: str, known: Iterable[str], parameter: str | None = None) -> UsageError:
    """An error for a name that does not exist, with the nearest ones that do.

    Parameters
    ----------
    what : the kind of thing that was looked for
    parameter : name of the parameter that holds the name
    """
    known = list(known)
    near = spelled_alike(name, known)
    listed = ", ".join(known[:_LISTED]) + (", …" if len(known) > _LISTED else "")
    hint = f"did you mean {' or '.join(near)}?" if near else f"known: {listed}"
    return UsageError(f"unknown {what} '{_shown(name)}': {hint}", parameter)


def spelled_alike(name: str, known: Iterable[str]) -> list[str]:
    """Up to three names that one may have been meant to be; none where looking for them would take long."""
    if len(name) > bounds.ALIKE_LENGTH:
        return []
    some = list(islice(known, bounds.ALIKE_NAMES))
    alike: Mapping[str, str] = {entry.lower(): entry for entry in reversed(some) if len(entry) <= bounds.ALIKE_LENGTH}
    return [alike[entry] for entry in difflib.get_close_matches(name.lower(), alike, n=3, cutoff=0.5)]
