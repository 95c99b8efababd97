"""Where results go: stdout when it is a pipe or a file, a fresh file at a terminal, or where -o says."""

import json
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from advtool.cli import descriptors
from advtool.errors import AdvtoolError, UsageError
from advtool.io.atomic import StandardOutput, is_special, whole_file
from advtool.io.figures import figure_format
from advtool.launchers import processes


@dataclass(frozen=True)
class Destination:
    """A place to write to, checked before any work is done. `path` is None for stdout."""

    path: Path | None

    @property
    def name(self) -> str:
        return "stdout" if self.path is None else str(self.path)

    @property
    def regular(self) -> Path | None:
        """The path, if it is that of a file that can be replaced, not of a pipe or a device."""
        return None if self.path is None or is_special(self.path) else self.path

    def write(self, data: bytes) -> None:
        """Write all of it; a file appears whole or not at all."""
        if self.path is None:
            StandardOutput().write(data)
            return
        with whole_file(self.path) as file:
            file.write(data)


def destination(
    out: str | None, stem: str, suffix: str, force: bool, may_replace: bool = False, parameter: str = "out"
) -> Destination:
    """Find where -o points, and refuse what cannot work.

    Parameters
    ----------
    out : the value of -o, None if it was not given
    stem, suffix : of the file name that is made up at a terminal
    may_replace : whether an existing file is fine even without --force
    parameter : the one that `out` is the value of

    Raises
    ------
    AdvtoolError
        if it would go to a stdout that is closed
    UsageError
        if the output exists and `force` is not set, its directory is missing or not writable, or binary output
        would go to a terminal; if its name is that of a link to nothing, or no file can have it
    """
    if out in (None, "-") and 1 in descriptors.closed:
        raise AdvtoolError("stdout: cannot write (it is closed); name a file with `-o`")
    if out is None:
        return Destination(_fresh_path(stem, suffix)) if sys.stdout.isatty() else Destination(None)
    if out == "-":
        if sys.stdout.isatty():
            raise UsageError("binary is not written to a terminal; redirect it or name a file", parameter, out)
        return Destination(None)
    path = Path(out)
    if is_special(path):
        return Destination(path)
    check_name(path, parameter)
    check_directory(path.parent, parameter)
    if path.is_dir():
        raise UsageError("is a directory", parameter, out)
    if path.is_file() and not (force or may_replace):
        raise UsageError("exists; -f overwrites it", parameter, out)
    return Destination(path)


def check_name(path: str | Path, parameter: str = "out") -> None:
    """Refuse what no file can be written to: a link to nothing, a name that is too long, a place inside a file."""
    try:
        os.lstat(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise UsageError(f"cannot be written ({error.strerror})", parameter, path) from None
    try:
        os.stat(path)
    except FileNotFoundError:
        message = f"is a link to {os.readlink(path)}, which does not exist; remove it or name another file"
        raise UsageError(message, parameter, path) from None
    except OSError as error:
        raise UsageError(f"cannot be written ({error.strerror})", parameter, path) from None


def check_directory(directory: Path, parameter: str = "out") -> None:
    """Refuse a directory that does not exist or in which no file can be made."""
    if not directory.is_dir():
        raise UsageError(f"directory {directory} does not exist", parameter)
    try:
        tempfile.TemporaryFile(dir=directory).close()
    except OSError as error:
        raise UsageError(f"directory {directory} is not writable ({error.strerror})", parameter) from None


def check_figure(path: str) -> None:
    """Refuse a file for ``--plot`` that no figure can be written to."""
    figure_format(path)
    check_name(path, "plot")
    check_directory(Path(path).parent, "plot")


def print_json(report: dict) -> None:
    """Write a report as one line of JSON; of several processes the first does."""
    if processes().is_first:
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
