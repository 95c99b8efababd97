"""The errors that a user meets: each is one line, and each knows its exit code."""

import difflib
from collections.abc import Iterable

_LISTED = 20


class AdvtoolError(Exception):
    """The data is bad or the run failed: exit code 1."""

    exit_code = 1


class UsageError(AdvtoolError):
    """The command line asks for something impossible: exit code 2."""

    exit_code = 2


def unknown(what: str, name: str, known: Iterable[str]) -> UsageError:
    """An error for a name that does not exist, with the nearest ones that do."""
    known = list(known)
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    listed = ", ".join(known[:_LISTED]) + (", …" if len(known) > _LISTED else "")
    hint = f"did you mean {' or '.join(near)}?" if near else f"known: {listed}"
    return UsageError(f"unknown {what} '{name}': {hint}")
