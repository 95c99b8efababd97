"""Kills at random moments: what they leave behind, and what the next run makes of it.

``python tests/kills.py --kills 105`` prints the table; `hostile/test_kills.py` runs the same.
"""

import argparse
import io
import json
import os
import random
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import forked
from tests_support import environment

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
STATUS = {signal.SIGTERM: 143, signal.SIGHUP: 129, signal.SIGINT: 130, signal.SIGKILL: -9}
MODEL = "model.safetensors"


@dataclass(frozen=True)
class Case:
    """A command.

    Attributes
    ----------
    arguments : as it is begun
    again : what is added in the run after the kill
    """

    name: str
    arguments: tuple[str, ...]
    again: tuple[str, ...] = ()

    @property
    def command(self) -> str:
        return self.arguments[0]


def cases(model: Path) -> list[Case]:
    """A command of each kind, which takes about a second."""
    ckpt = ("--ckpt", str(model), "--data", "digits", "-q")
    ball = ("--adv", "linf", "--eps", "0.2")
    small = ("--data", "digits", "--arch", "mlp", "--hidden", "64", "-q")
    shards = ("-o", "D/", "--shard-size", "60", "--batch-size", "60")
    return [
        Case("train", ("train", *small, *ball, "--steps", "5", "--epochs", "8", "-o", "m.safetensors"), ("--resume",)),
        Case("attack -o DIR/", ("attack", *ckpt, *ball, "--steps", "80", "-n", "840", *shards), ("--resume",)),
        Case("distill -o DIR/", ("distill", *ckpt, "--steps", "100", "-n", "600", *shards), ("--resume",)),
        Case("relabel", ("relabel", "--data", "digits", "--random", "-q", "-o", "out.tar"), ("-f",)),
        Case(
            "eval --per-sample",
            (
                *("eval", *ckpt, "--split", "train", "--adv", "linf", "--eps", "0.05,0.1,0.15,0.2", "--steps", "20"),
                *("--no-checks", "--json", "--batch-size", "100", "--per-sample", "p.jsonl"),
            ),
        ),
        Case("data -o DIR/", ("data", "digits", "--split", "train", "-q", "-o", "D/", "--shard-size", "20"), ("-f",)),
        Case("explain", ("explain", *ckpt, "--method", "large-eps", "-n", "24", "-o", "out.png"), ("-f",)),
    ]


@dataclass
class Outcome:
    """What came of the kills of one command."""

    kills: Counter = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def n(self) -> int:
        return sum(self.kills.values())


class Killed:
    """One case in directories of its own.

    Parameters
    ----------
    case : what is run
    place : a directory
    """

    def __init__(self, case: Case, place: Path):
        self.case, self._place, self.outcome = case, place, Outcome()
        for _ in range(2):  # the first may wait for the server
            straight = self._fresh("straight")
            began = time.monotonic()
            process = _start(case.arguments, straight)
            process.join()
            self.outcome.seconds = time.monotonic() - began
            assert process.exitcode == 0, _stderr(straight)
        self.expected = _contents(straight)

    def kill(self, number: signal.Signals, after: float) -> bool:
        """Start it, send it a signal after so many seconds, look at what is there, and run it again.

        Returns
        -------
        whether it was the signal that ended it
        """
        directory = self._fresh("killed")
        process = _start(self.case.arguments, directory)
        process.join(after)
        running = process.is_alive()
        if running:
            os.kill(process.pid, number)
        process.join(60)
        if process.is_alive():
            process.kill()
            self._fault(number, after, "did not end")
        status = process.exitcode
        if not running or status == 0:
            return False
        self.outcome.kills[number.name] += 1
        if status not in (STATUS[number], -number):
            self._fault(number, after, f"ended with {status}: {_stderr(directory)}")
        left = _contents(directory)
        for name, data in left.items():
            if not (Path(name).name.startswith(".") or self._is_sound(name, data)):
                self._fault(number, after, f"left {name} corrupt")
        if number is not signal.SIGKILL and any(name.endswith(".tmp") for name in left):
            self._fault(number, after, f"left {[*left]}")
        self._again(directory, left, number, after)
        return True

    def _again(self, directory: Path, left: Mapping[str, bytes], number: signal.Signals, after: float) -> None:
        parts = {path.name[1:].partition(".tar")[0] + ".tar": path.stat().st_ino for path in directory.rglob(".*.part")}
        process = _start((*self.case.arguments, *self.case.again), directory)
        process.join(120)
        found = _contents(directory)
        is_complete = left == self.expected and process.exitcode == 2 and "already" in _stderr(directory)
        if process.exitcode != 0 and not is_complete:
            self._fault(number, after, f"the next run ended with {process.exitcode}: {_stderr(directory)}")
        if found.keys() != self.expected.keys():
            self._fault(number, after, f"after the next run there is {sorted(found)}, of {sorted(left)}")
        for name, data in found.items():
            if data != self.expected.get(name, data):
                self._fault(number, after, f"after the next run {name} differs")
        if "--resume" in self.case.again and any(
            inode != path.stat().st_ino for path in directory.rglob("*.tar") if (inode := parts.get(path.name))
        ):
            self._fault(number, after, "finished shards were made again")
        if self.case.command == "eval" and "p.jsonl" in left:
            kept = left["p.jsonl"].rpartition(b"\n")[0]
            if not found.get("p.jsonl", b"").startswith(kept):
                self._fault(number, after, "outcomes were lost")

    def _is_sound(self, name: str, data: bytes) -> bool:
        """Whether this can be what is there in the middle of a run, or after it."""
        if self.case.command == "train":
            from advtool.io.checkpoints import parse
            from advtool.io.streams import Stream

            return parse(Stream(io.BytesIO(data), name))[1] is not None
        if name == "p.jsonl":
            return self.expected[name].startswith(data)
        return data == self.expected.get(name)

    def _fresh(self, name: str) -> Path:
        directory = self._place / name
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        return directory

    def _fault(self, number: signal.Signals, after: float, what: str) -> None:
        self.outcome.faults.append(f"{self.case.name}, {number.name} after {after:.3f} s: {what}")


def run(kills: int, seed: int, place: Path, names: Sequence[str] = ()) -> dict[str, Outcome]:
    """Kill each command in turn, `kills` times in all, with each signal in turn, at moments drawn with a seed."""
    model = place / MODEL
    process = _start(("train", "--data", "digits", "--epochs", "3", "-q", "-o", MODEL), place)
    process.join()
    assert process.exitcode == 0
    begun = [Killed(case, place / str(n)) for n, case in enumerate(cases(model)) if not names or case.command in names]
    draw = random.Random(seed)
    for count in range(kills):
        killed = begun[count % len(begun)]
        number = SIGNALS[(count // len(begun)) % len(SIGNALS)]
        while not killed.kill(number, draw.uniform(0, killed.outcome.seconds)):
            pass  # it was done already
    return {killed.case.name: killed.outcome for killed in begun}


def table(outcomes: Mapping[str, Outcome]) -> str:
    """In Markdown."""
    names = [number.name for number in SIGNALS]
    lines = [
        f"| command | seconds | kills | {' | '.join(names)} | faults |",
        "|" + "---|" * (len(names) + 4),
    ]
    for command, outcome in outcomes.items():
        counts = " | ".join(str(outcome.kills[name]) for name in names)
        lines.append(f"| {command} | {outcome.seconds:.1f} | {outcome.n} | {counts} | {len(outcome.faults)} |")
    return "\n".join(lines)


def _start(arguments: Sequence[str], directory: Path, said: Path | None = None):
    """The command in a process forked from a server, so that moments are not spent on importing.

    Parameters
    ----------
    said : what it says goes into files of this name, by default beside the directory
    """
    names = [os.devnull, f"{said or directory}.out", f"{said or directory}.err"]
    for name in names[1:]:
        Path(name).unlink(missing_ok=True)
    process = forked._context.Process(target=_command, args=([*arguments], str(directory), environment(), names))
    process.start()
    return process


def _command(*arguments) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    forked._command(*arguments)


def _stderr(directory: Path) -> str:
    path = Path(f"{directory}.err")
    return path.read_text() if path.exists() else ""


def _contents(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=105)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("commands", nargs="*")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        results = run(asked.kills, asked.seed, Path(folder), asked.commands)
    if asked.json:
        print(json.dumps({name: vars(outcome) for name, outcome in results.items()}))
    else:
        print(table(results))
    print(*(fault for outcome in results.values() for fault in outcome.faults), sep="\n")
