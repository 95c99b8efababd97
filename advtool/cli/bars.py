"""How far it has come: bars where stderr is a terminal, elsewhere a line a minute."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from advtool import progress
from advtool.cli import console

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

FIRST_LINE, BETWEEN_LINES = 20.0, 60.0
"""Seconds of silence in a log before a stage says how far it is, at first and later."""

_shown: list["Progress"] = []
"""The bar that is shown now; a stage within another shows none."""


class Told(Protocol):
    """What a stage with words before and behind its bar calls on its way."""

    def __call__(self, count: float, before: str, behind: str, total: float | None = None) -> None:
        """So much more is done, of `total` where that is known better by now."""


@contextmanager
def taken_away() -> Iterator[None]:
    """In the end no bar is left of a stage that an error ended."""
    try:
        yield
    finally:
        while _shown:
            _shown.pop().stop()


@contextmanager
def bar(description: str, total: int | None) -> Iterator[progress.Advance]:
    """A bar of images; call it with the number done since the last call.

    Parameters
    ----------
    total : number of images, None if it is not known
    """
    with training_bar(total) as told:

        def advance(count: int, total: int | None = None) -> None:
            told(count, description, "", total)

        advance(0)
        yield advance


@contextmanager
def live(description: str, total: int | None, images: int | None) -> Iterator["Live"]:
    """The same, with a line for each attack of an ensemble: see `Live`.

    Parameters
    ----------
    total : images to go through, each as often as it is
    images : number of images
    """
    with _bars() as shown:
        yield Live(shown, description, total, images)


class Live:
    """A bar of all that is done, and one for each attack of an ensemble, with the accuracy so far and a time to go."""

    def __init__(self, shown: "Progress | None", description: str, total: int | None, images: int | None):
        self._progress, self._images = shown, images
        self._tasks: dict[tuple[str, int], TaskID] = {}
        self._counts: dict[tuple[str, int], tuple[int, int]] = {}
        self._whole = shown.add_task(description, total=total, rate="", behind="") if shown else None
        self._log, self._description = _Log(total), description

    def __call__(self, count: int) -> None:
        """So many more images were gone through."""
        if self._progress and self._whole is not None:
            self._progress.update(self._whole, advance=count)
        else:
            self._log(count, self._description, "")

    def expect(self, total: int | None, images: int | None) -> None:
        """There are so many to go through, as it is known by now."""
        self._images = images
        if self._progress and self._whole is not None:
            _expect(self._progress, self._whole, total)
            for task in self._tasks.values():
                _expect(self._progress, task, images)
        else:
            self._log(0, self._description, "", total)

    def attack(self, threat: str, number: int, name: str, passed: int, standing: int) -> None:
        """So many more images went through this attack of the ensemble against a threat, and so many of these stand."""
        if not self._progress:
            return
        key = threat, number
        if key not in self._tasks:
            described = console.plain(f"{threat} {name}")
            self._tasks[key] = self._progress.add_task(described, total=self._images, rate="", behind="")
        seen, stood = self._counts.get(key, (0, 0))
        self._counts[key] = seen + passed, stood + standing
        share = f"{100 * (stood + standing) / (seen + passed):.2f}% stand"
        self._progress.update(self._tasks[key], advance=passed, behind=share)


@contextmanager
def training_bar(total: float | None) -> Iterator[Told]:
    """A bar of images with words before and behind it: call it with (number done, before, behind)."""
    with _bars() as shown:
        if shown is None:
            yield _Log(total)
            return
        task = shown.add_task("", total=total, rate="", behind="")

        def advance(count: float, before: str, behind: str, total: float | None = None) -> None:
            speed = shown.tasks[0].speed
            rate = f"{speed:,.0f} images/s" if speed else ""
            if total is not None:
                _expect(shown, task, total)
            described, behind = console.plain(before), console.plain(behind)
            shown.update(task, advance=count, description=described, behind=behind, rate=rate)

        yield advance


def _expect(shown: "Progress", number: "TaskID", total: float | None) -> None:
    """Change the total of a task; `Progress.update` would forget its speed, and with it the time to go."""
    for task in shown.tasks:
        if task.id == number:
            task.total = total


class _Log:
    """Lines in a log: how far a stage is, whenever nothing was said for a minute."""

    def __init__(self, total: float | None):
        self._total, self._done = total, 0.0
        self._began = time.monotonic()
        self._wait = FIRST_LINE

    def __call__(self, count: float, before: str, behind: str, total: float | None = None) -> None:
        self._done += count
        self._total = self._total if total is None else total
        now = time.monotonic()
        if now - max(self._began, console.last_said()) < self._wait or not before:
            return
        self._wait = BETWEEN_LINES
        console.say(f"{before}: {', '.join(filter(None, (*self._progress(now - self._began), behind)))}")

    def _progress(self, seconds: float) -> Iterator[str]:
        done, total, rate = self._done, self._total, self._done / max(seconds, 1e-9)
        if total:
            yield f"{done:,.0f} of {total:,.0f} images ({100 * min(done / total, 1):.0f}%)"
        else:
            yield f"{done:,.0f} images"
        yield f"{rate:,.0f} images/s"
        if total and rate:
            yield f"{_clock(max(total - done, 0) / rate)} to go"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


@contextmanager
def _bars() -> Iterator["Progress | None"]:
    """Where bars are shown; None if they are not, or one is shown already."""
    if not console.shows_bars() or _shown:
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
    from rich.table import Column

    # What is said behind the bar gives way where the terminal is narrow; bar, rate and time do not.
    columns = (
        TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True)),
        BarColumn(bar_width=24, table_column=Column(min_width=24)),
        TextColumn("{task.percentage:>3.0f}%", table_column=Column(no_wrap=True, min_width=4)),
        TextColumn("{task.fields[behind]}", markup=False, table_column=Column(no_wrap=True, ratio=1)),
        TextColumn("{task.fields[rate]}", table_column=Column(no_wrap=True)),
        TimeRemainingColumn(table_column=Column(no_wrap=True, min_width=7)),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True, expand=True) as shown:
        _shown.append(shown)
        try:
            yield shown
        finally:
            if shown in _shown:
                _shown.remove(shown)
