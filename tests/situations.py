"""Situations out of public trackers: an input that the test builds, and the right number or the one-line refusal."""

import contextlib
import json
import os
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import in_process
import pytest

from advtool.cli import console


@dataclass(frozen=True)
class Situation:
    """One row of the table.

    Attributes
    ----------
    name : what users ran into, in a few words
    make : builds the input in the current directory, a fresh one, and returns the arguments of advtool
    report : path into the JSON report, such as ``clean.accuracy`` or ``parts.0.n`` → its value; None for a refusal
    refused : what the one line of the refusal must match
    says : what stderr must match where it is not refused; None where it has to be empty
    """

    name: str
    make: Callable[[], Sequence[object]]
    report: Mapping[str, Any] | None = None
    refused: str | None = None
    says: str | None = None

    def check(self, directory: Path) -> None:
        """Run it there."""
        assert (self.report is None) != (self.refused is None)
        with contextlib.chdir(directory):
            status, out, err = run(*self.make())
        if self.refused is not None:
            (line,) = err.splitlines() or [""]
            assert status in (1, 2) and line.startswith("advtool: error: "), f"exit {status}\n{out}\n{err}"
            assert re.search(self.refused, line), line
            return
        assert status == 0, f"exit {status}\n{err}"
        found = json.loads(out)
        for path, value in (self.report or {}).items():
            assert at(found, path) == value, f"{path}: {at(found, path)}, not {value}\n{out}\n{err}"
        assert re.search(self.says, err) if self.says else not err, f"stderr: {err}"


def table(rows: Sequence[Situation]) -> Any:
    """Parametrises a test over the rows, as ``row``."""
    return pytest.mark.parametrize("row", rows, ids=[row.name for row in rows])


def run(*arguments: object) -> tuple[int, str, str]:
    """(exit status, stdout, stderr) of ``advtool ARGUMENTS`` in this process, warnings shown as users see them."""
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        shown = warnings.showwarning
        try:
            console.install_warnings()
            return in_process.run(*arguments)
        finally:
            warnings.showwarning = shown
            console.set_level(False, False)


def at(report: Any, path: str) -> Any:
    """The value at a path of keys and indices."""
    for part in path.split("."):
        report = report[int(part)] if isinstance(report, list) else report[part]
    return report


def here() -> Path:
    return Path(os.curdir)
