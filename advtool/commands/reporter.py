"""How training goes, told on stderr."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from advtool.cli import bars, console
from advtool.cli.train import Train
from advtool.distributed import processes
from advtool.training.logs import RunLog
from advtool.training.overfitting import STEPS as GUARD_STEPS
from advtool.training.state import State
from advtool.training.tally import Tally


class Reporter:
    """Tells how training goes: a line for each epoch, and a bar at a terminal.

    In a log epochs that follow one another fast have a line every few seconds, and after a minute one a minute.
    """

    SECONDS_BETWEEN_LINES, AFTER_A_MINUTE = 5, 60

    def __init__(self, epochs: int, n: int):
        self._epochs, self._total = epochs, n * epochs
        self._stack = ExitStack()
        self._last_line = 0.0

    def __enter__(self) -> "Reporter":
        self._started = time.perf_counter()
        self._done, self._in_epoch = 0, 0
        self._advance = self._stack.enter_context(bars.training_bar(self._total))
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def batch(self, epoch: int, tally: Tally) -> None:
        seen = tally.everywhere
        count = seen - self._in_epoch if seen > self._in_epoch else seen
        self._in_epoch = seen
        self._done += count
        self._advance(count, f"epoch {epoch}/{self._epochs}", _describe(tally.to_json()))

    def epoch(self, record: dict) -> None:
        self._in_epoch = 0
        now = time.perf_counter()
        last = record["epoch"] == self._epochs or record.get("collapsed")
        between = self.AFTER_A_MINUTE if now - self._started > 60 else self.SECONDS_BETWEEN_LINES
        if not (last or console.shows_bars() or now - self._last_line > between):
            return
        self._last_line = now
        rate = self._done / max(now - self._started, 1e-9)
        console.say(f"epoch {record['epoch']}/{self._epochs}: {_describe(record)}, {rate:,.0f} images/s")


@contextmanager
def logged(options: Train, start: State | None) -> Iterator[RunLog | None]:
    """The log that was asked for, in the first of several processes; what it lacks is said."""
    if options.log is None or not processes().is_first:
        yield None
        return
    with RunLog(options.log, len(start.history) if start else 0, force=options.force or options.resume) as log:
        if not log.has_events:
            console.say(f"tensorboard is not installed: {log.path} only; pip install 'advtool[tensorboard]'")
        yield log


def _describe(record: dict) -> str:
    parts = [f"loss {record['loss']:.3f}"]
    for where, found in (("", record), ("validation ", record.get("validation", {}))):
        for name in ("clean", "adversarial"):
            if f"{name}_accuracy" in found:
                parts.append(f"{where}{name} {100 * found[f'{name}_accuracy']:.1f}%")
    if "pgd_accuracy" in record:
        parts.append(f"PGD-{GUARD_STEPS} {100 * record['pgd_accuracy']:.1f}%")
    parts += [f"{name} {100 * value:.1f}%" for name, value in record.get("accuracy", {}).items()]
    return ", ".join(parts)
