"""A training run as it goes on, in files that other programs read: JSON lines and TensorBoard's scalars."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from advtool import bounds
from advtool.errors import AdvtoolError, UsageError
from advtool.io import regular
from advtool.io.atomic import whole_file
from advtool.training.tally import Observer, Tally

LINES = "train.jsonl"


class RunLog:
    """``DIR/train.jsonl``, and an event file beside it where TensorBoard is installed.

    A line holds the epoch's record as the checkpoint has it, ``lr`` (of its last step) and ``seconds`` (since the run,
    or what is left of it, began). The scalars are the same, by names such as ``validation/clean_accuracy``, and at the
    end ``test/…``.

    Parameters
    ----------
    directory : made if it is not there
    done : epochs that a resumed run goes on from; later ones of an earlier log are forgotten
    force : an earlier log may be replaced by that of a run that begins anew

    Attributes
    ----------
    has_events : whether there is an event file

    Raises
    ------
    UsageError
        if there is a log already, and neither a run is resumed nor `force` is set
    """

    def __init__(self, directory: Path, done: int = 0, force: bool = False):
        self.path, self._done, self._force = directory / LINES, done, force
        if self.path.exists() and not (done or force):
            raise UsageError(f"{self.path} is there already; -f begins it anew", "log", directory)
        self._rate, self._began = 0.0, time.monotonic()

    def __enter__(self) -> Self:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(self.path) as file:
                file.write("".join(self._kept()).encode())
        except OSError as error:
            raise AdvtoolError(f"{self.path}: cannot be written ({error.strerror})") from None
        self._events = _events(self.path.parent, self._done)
        return self

    def __exit__(self, *_: object) -> None:
        if self._events is not None:
            self._events.close()

    @property
    def has_events(self) -> bool:
        return self._events is not None

    def batch(self, epoch: int, tally: Tally) -> None:
        self._rate = tally.rate

    def epoch(self, record: dict) -> None:
        seconds = round(time.monotonic() - self._began, 3)
        line = json.dumps({**record, "lr": self._rate, "seconds": seconds}, allow_nan=False)
        with open(self.path, "a") as file:
            file.write(line + "\n")
            file.flush()
            os.fsync(file.fileno())
        self._scalars({**record, "lr": self._rate}, record["epoch"])

    def test(self, metrics: dict, epochs: int) -> None:
        """The final evaluation, as `TrainingRun.test` returns it, after so many epochs."""
        found = {"clean_accuracy": metrics["clean"]["accuracy"]} if "clean" in metrics else {}
        for entry in metrics.get("adversarial", []):
            found[f"{entry['adv']}_{entry['eps']:.4g}_accuracy"] = entry["accuracy"]
        self._scalars({"test": found}, epochs)

    def _scalars(self, record: dict, epoch: int) -> None:
        if self._events is not None:
            for name, value in _flat(record):
                self._events.add_scalar(name, value, epoch)
            self._events.flush()

    def _kept(self) -> Iterator[str]:
        """The lines of the epochs that a resumed run goes on from."""
        if not (self._done and self.path.exists()):
            return
        for line in regular.read_text(self.path, bounds.TEXT_BYTES).splitlines():
            try:
                epoch = json.loads(line)["epoch"]
            except (ValueError, KeyError, TypeError):
                raise AdvtoolError(f"{self.path}: not the log of a training run; -f begins it anew") from None
            if type(epoch) is int and epoch <= self._done:
                yield line + "\n"


class Several:
    """Observers that are told one after another."""

    def __init__(self, *observers: Observer):
        self._observers = observers

    def batch(self, epoch: int, tally: Tally) -> None:
        for observer in self._observers:
            observer.batch(epoch, tally)

    def epoch(self, record: dict) -> None:
        for observer in self._observers:
            observer.epoch(record)


def _events(directory: Path, done: int) -> Any:
    """A writer of an event file that hides later epochs of earlier ones; None where TensorBoard is not installed."""
    try:
        from torch.utils.tensorboard.writer import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(directory), purge_step=done + 1)


def _flat(record: dict, prefix: str = "") -> Iterator[tuple[str, float]]:
    for name, value in record.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}/")
        elif name != "epoch":
            yield (prefix or ("" if name == "lr" else "train/")) + name, float(value)
