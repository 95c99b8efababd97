"""Where results go: stdout when it is a pipe or a file, a fresh file at a terminal, or where -o says."""

import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from advtool.errors import UsageError
from advtool.io.atomic import StandardOutput, is_special, whole_file
from advtool.values import listed

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIGURES = ("png", "pdf", "svg")


@dataclass(frozen=True)
class Destination:
    """A place to write to, checked before any work is done. `path` is None for stdout."""

    path: Path | None
    fresh: bool = False

    @property
    def name(self) -> str:
        return "stdout" if self.path is None else str(self.path)

    @property
    def is_regular(self) -> bool:
        """Whether this is a file that can be replaced, not a pipe or a device."""
        return self.path is not None and not is_special(self.path)

    def write(self, data: bytes) -> None:
        """Write all of it; a file appears whole or not at all."""
        if self.path is None:
            StandardOutput().write(data)
            return
        with whole_file(self.path) as file:
            file.write(data)


def destination(out: str | None, stem: str, suffix: str, force: bool, may_replace: bool = False) -> Destination:
    """Find where -o points, and refuse what cannot work.

    Parameters
    ----------
    out : the value of -o, None if it was not given
    stem, suffix : of the file name that is made up at a terminal
    may_replace : whether an existing file is fine even without --force

    Raises
    ------
    UsageError
        if the output exists and `force` is not set, its directory is missing or not writable, or binary output
        would go to a terminal
    """
    if out is None:
        return Destination(_fresh_path(stem, suffix), fresh=True) if sys.stdout.isatty() else Destination(None)
    if out == "-":
        if sys.stdout.isatty():
            raise UsageError("-o -: binary is not written to a terminal; redirect it or name a file")
        return Destination(None)
    path = Path(out)
    if is_special(path):
        return Destination(path)
    check_directory(path.parent)
    if path.is_dir():
        raise UsageError(f"-o {out}: is a directory")
    if path.is_file() and not (force or may_replace):
        raise UsageError(f"-o {out}: exists; -f overwrites it")
    return Destination(path)


def check_directory(directory: Path, option: str = "-o") -> None:
    """Refuse a directory that does not exist or in which no file can be made."""
    if not directory.is_dir():
        raise UsageError(f"{option}: directory {directory} does not exist")
    try:
        tempfile.TemporaryFile(dir=directory).close()
    except OSError as error:
        raise UsageError(f"{option}: directory {directory} is not writable ({error.strerror})") from None


def figure_format(path: str | Path) -> str:
    """The format that the name of a figure's file asks for: one of `FIGURES`, in lower case.

    Raises
    ------
    UsageError
        if it ends in none of them
    """
    kind = Path(path).suffix.lstrip(".").lower()
    if kind not in FIGURES:
        raise UsageError(f"must end in {listed([f'.{known}' for known in FIGURES])}", "plot", path)
    return kind


def write_figure(figure: "Figure", path: str | Path) -> None:
    """Write a figure of matplotlib as its file's name says; the same figure gives the same bytes."""
    from matplotlib import rc_context

    kind = figure_format(path)
    undated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind, {})
    with rc_context({"svg.hashsalt": "advtool"}), whole_file(path) as file:
        figure.savefig(file, format=kind, dpi=150, metadata=undated)


def print_json(report: dict) -> None:
    """Write a report as one line of JSON."""
    print(json.dumps(report, allow_nan=False), flush=True)


def wants_json(json_flag: bool) -> bool:
    """Reports are JSON when asked for, and when stdout is not a terminal."""
    return json_flag or not sys.stdout.isatty()


def _fresh_path(stem: str, suffix: str) -> Path:
    path, number = Path(stem + suffix), 1
    while path.exists():
        number += 1
        path = Path(f"{stem}-{number}{suffix}")
    check_directory(Path())
    return path
