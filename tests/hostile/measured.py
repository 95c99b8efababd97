"""The real command on a hostile input, forked, with the time and the memory that it took."""

import os
import resource
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import forked
from hostile.corpus import CANARY, MODEL, Input
from tests_support import environment

SECONDS, PEAK = 20.0, 2 << 30
_GUARD = 6 << 30  # of memory that is asked for, so that no mistake takes the machine with it


@dataclass(frozen=True)
class Result:
    """What came of it."""

    status: int | None
    out: bytes
    err: str
    seconds: float
    peak: int
    left: list[str]


def run(made: Input, directory: Path, model: Path) -> Result:
    """Build the input in a directory, in a process of its own, and run its command there."""
    (directory / MODEL).write_bytes(model.read_bytes())
    before = os.getcwd()
    os.chdir(directory)
    try:
        words = [*made.make()]
    finally:
        os.chdir(before)
    there = {path.name for path in directory.iterdir()}
    with tempfile.TemporaryDirectory() as place:
        names = [os.devnull, f"{place}/out", f"{place}/err"]
        arguments = (words, str(directory), environment(), names, f"{place}/peak")
        process = forked._context.Process(target=_measured, args=arguments)
        start = time.monotonic()
        process.start()
        process.join(2 * SECONDS)
        seconds, status = time.monotonic() - start, process.exitcode
        if status is None:
            process.kill()
            process.join()
        out, err = (Path(name).read_bytes() if os.path.exists(name) else b"" for name in names[1:])
        peak = int(Path(f"{place}/peak").read_text()) if os.path.exists(f"{place}/peak") else 0
    left = sorted(path.name for path in directory.iterdir() if path.name not in there)
    return Result(status, out, err.decode("utf-8", "replace"), seconds, peak, left)


def complaints(made: Input, result: Result) -> list[str]:
    """What is wrong with a result; empty if the input was refused as it has to be."""
    import re

    found = []
    lines = result.err.splitlines()
    if result.status not in (1, 2):
        found.append(f"exit {result.status}")
    if len(lines) != 1 or not lines[0].startswith("advtool: error: "):
        found.append(f"{len(lines)} lines: {result.err[-600:]}")
    elif not re.search(made.says, lines[0]):
        found.append(f"does not say {made.says}: {lines[0][:300]}")
    if result.out:
        found.append(f"stdout: {result.out[:100]!r}")
    if result.left:
        found.append(f"left {', '.join(result.left)}" + (": code was run" if CANARY in result.left else ""))
    if result.seconds > SECONDS:
        found.append(f"{result.seconds:.1f} s")
    if result.peak > PEAK:
        found.append(f"{result.peak / 2**30:.2f} GB")
    return found


def _measured(arguments: list[str], cwd: str, env: dict[str, str], names: list[str], place: str) -> None:
    data = _status("VmData")
    resource.setrlimit(resource.RLIMIT_DATA, (data + _GUARD, data + _GUARD))
    try:
        forked._command(arguments, cwd, env, names)
    finally:
        Path(place).write_text(str(_status("VmHWM")))


def _status(name: str) -> int:
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1]) << 10
