"""Messages for people: all of them on stderr, and bars only when that is a terminal."""

import json
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

from advtool.cli.encoding import is_unicode, shown
from advtool.distributed import processes
from advtool.errors import Note
from advtool.visible import bounded, visible

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID
    from rich.table import Table
    from rich.text import Text

QUIET, NORMAL, VERBOSE = 0, 1, 2
_LONGEST_LINE, _LONGEST_CELL = 2000, 300
_level = NORMAL


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
    if _speaks():
        print(f"advtool: {_plain(text)}", file=sys.stderr, flush=True)


def detail(text: str) -> None:
    """One line on stderr with -v."""
    if _level == VERBOSE:
        say(text)


def error(text: str) -> None:
    """The one line that says why the command failed."""
    print(f"advtool: error: {_plain(text.strip())}", file=sys.stderr, flush=True)


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
    print(_plain(text))


def _plain(text: str, longest: int = _LONGEST_LINE) -> str:
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


@contextmanager
def bar(description: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A progress bar of images; yields a function to call with the number done since the last call.

    Parameters
    ----------
    total : number of images, None if it is not known
    """
    with training_bar(total) as advance:
        yield lambda count: advance(count, description, "")


@contextmanager
def live(description: str, total: int | None, images: int | None) -> Iterator["Live"]:
    """The same, with a line for each attack of an ensemble: see `Live`.

    Parameters
    ----------
    total : images to go through, each as often as it is
    images : number of images
    """
    with _bars() as progress:
        yield Live(progress, description, total, images)


class Live:
    """A bar of all that is done, and one for each attack of an ensemble, with the accuracy so far and a time to go."""

    def __init__(self, progress: "Progress | None", description: str, total: int | None, images: int | None):
        self._progress, self._images = progress, images
        self._tasks: dict[tuple[str, int], TaskID] = {}
        self._counts: dict[tuple[str, int], tuple[int, int]] = {}
        self._whole = progress.add_task(description, total=total, rate="", behind="") if progress else None

    def __call__(self, count: int) -> None:
        """So many more images were gone through."""
        if self._progress and self._whole is not None:
            self._progress.update(self._whole, advance=count)

    def attack(self, threat: str, number: int, name: str, passed: int, standing: int) -> None:
        """So many more images went through this attack of the ensemble against a threat, and so many of these stand."""
        if not self._progress:
            return
        key = threat, number
        if key not in self._tasks:
            described = _plain(f"{threat} {name}")
            self._tasks[key] = self._progress.add_task(described, total=self._images, rate="", behind="")
        seen, stood = self._counts.get(key, (0, 0))
        self._counts[key] = seen + passed, stood + standing
        share = f"{100 * (stood + standing) / (seen + passed):.2f}% stand"
        self._progress.update(self._tasks[key], advance=passed, behind=share)


@contextmanager
def training_bar(total: int | None) -> Iterator[Callable[[float, str, str], None]]:
    """A progress bar of images with words before and behind it: call it with (number done, before, behind)."""
    with _bars() as progress:
        if progress is None:
            yield lambda count, before, behind: None
            return
        task = progress.add_task("", total=total, rate="", behind="")

        def advance(count: float, before: str, behind: str) -> None:
            speed = progress.tasks[0].speed
            rate = f"{speed:,.0f} images/s" if speed else ""
            progress.update(task, advance=count, description=_plain(before), behind=_plain(behind), rate=rate)

        yield advance


@contextmanager
def _bars() -> Iterator["Progress | None"]:
    """Where bars are shown; None if they are not."""
    if not shows_bars():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TextColumn("{task.percentage:>3.0f}%"),
        TextColumn("{task.fields[behind]}", markup=False),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield progress


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

    return Text(shown(_plain(str(content), longest), stream))
