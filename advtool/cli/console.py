"""Messages for people: all of them on stderr, and bars only when that is a terminal."""

import json
import signal
import sys
import time
import traceback
import warnings
from typing import TYPE_CHECKING, Any, TextIO

from advtool.cli.encoding import is_unicode, shown
from advtool.errors import Note
from advtool.launchers import processes
from advtool.visible import bounded, visible

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

QUIET, NORMAL, VERBOSE = 0, 1, 2
_LONGEST_LINE, _LONGEST_CELL = 2000, 300
_level = NORMAL
_said = 0.0


def set_level(quiet: bool, verbose: bool) -> None:
    global _level
    _level = VERBOSE if verbose else QUIET if quiet else NORMAL


def is_verbose() -> bool:
    return _level == VERBOSE


def shows_bars() -> bool:
    return _speaks() and sys.stderr.isatty()


def _speaks() -> bool:
    """Of several processes only the first tells how it goes; each says its own errors."""
    return _level > QUIET and processes().is_first


def say(text: str) -> None:
    """One line on stderr, unless -q."""
    global _said
    if _speaks():
        _said = time.monotonic()
        print(f"advtool: {plain(text)}", file=sys.stderr, flush=True)


def last_said() -> float:
    """When the last line was said, on the monotonic clock."""
    return _said


def detail(text: str) -> None:
    """One line on stderr with -v."""
    if _level == VERBOSE:
        say(text)


def error(text: str) -> None:
    """The one line that says why the command failed."""
    print(f"advtool: error: {plain(text.strip())}", file=sys.stderr, flush=True)


def trace() -> None:
    """With -v, where the exception that is being handled comes from."""
    if is_verbose():
        print(visible(traceback.format_exc(), keep="\n"), end="", file=sys.stderr)


def show_bug(*raised: Any) -> None:
    """An exception that nothing expected, as Python shows it: to be `sys.excepthook`."""
    print(visible("".join(traceback.format_exception(*raised)), keep="\n"), end="", file=sys.stderr)


def account(report: dict) -> None:
    """What was done, as a line of JSON on stderr, whatever is said there else."""
    if processes().is_first:
        print(json.dumps({"schema": 1, **report}, allow_nan=False), file=sys.stderr, flush=True)


def line(text: str) -> None:
    """One line on stdout: a part of a report."""
    print(plain(text))


def plain(text: str, longest: int = _LONGEST_LINE) -> str:
    """Text that may come from outside, on one line and of bounded length."""
    return bounded(visible(text), longest)


def interruptible() -> None:
    """From here on Ctrl-C raises KeyboardInterrupt; call it once a command has imported what it needs."""
    if signal.getsignal(signal.SIGINT) not in (signal.SIG_IGN, None):
        signal.signal(signal.SIGINT, signal.default_int_handler)


def install_warnings() -> None:
    """Python warnings become one line on stderr; those of libraries are shown with -v only."""

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if issubclass(category, Note):
            say(str(message))
        elif issubclass(category, UserWarning) and category.__module__.startswith("advtool"):
            say(f"warning: {message}")
        else:
            detail(f"warning: {message} ({filename}:{lineno})")

    warnings.showwarning = show


def show_table(title: str, columns: list[str], rows: list[list[str]], to_stderr: bool = False) -> None:
    """A title line and a table at a terminal: first column left, the others right."""
    from rich.table import Table

    table = Table()
    for index, column in enumerate(columns):
        table.add_column(column, justify="right" if index else "left")
    for row in rows:
        table.add_row(*row)
    print_table(title, table, to_stderr)


def print_table(title: str, table: "Table", to_stderr: bool = False) -> None:
    """A title line and a table, in the characters that the stream has: of ASCII where that is all."""
    from rich.console import Console

    stream = sys.stderr if to_stderr else sys.stdout
    console = Console(stderr=to_stderr)
    for column in table.columns:
        column.header = _words(column.header, stream)
        column._cells = [_words(cell, stream) for cell in column._cells]
        if not is_unicode(stream):
            column.overflow = "fold"  # an ellipsis would be wider than its place
    console.print(_words(title, stream, _LONGEST_LINE), style="bold", soft_wrap=True)
    console.print(table)


def _words(content: object, stream: TextIO, longest: int = _LONGEST_CELL) -> "Text":
    """What stands in a table or over it, with nothing in it taken for markup."""
    from rich.text import Text

    return Text(shown(plain(str(content), longest), stream))
