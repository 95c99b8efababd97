"""Cost against batch, steps, width and processes: ``python -m benchmarks.scaling NET``, a network of `benchmarks.nets`.

Batch, steps and width are timed on one thread, in CPU seconds; processes train side by side under torchrun, in wall
seconds an epoch. Tables in Markdown.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

from advtool import attacks
from advtool.models.registry import build
from advtool.norms import ball
from advtool.prepared import prepare
from benchmarks.nets import RECIPES, Problem, problem
from benchmarks.roofline import gradient

BATCHES, STEPS, WIDTHS, PROCESSES = (8, 32, 128, 512), (10, 50, 250), (0.125, 0.25, 0.5, 1), (1, 2)


def main(net: Path) -> None:
    torch.set_num_threads(1)
    given = problem(net, "l2", 0.5, max(BATCHES))
    driver = prepare(given.model, given.x, amp=True)
    table("images a batch", BATCHES, "gradients/s", lambda n: n / seconds(lambda: gradient(some(given, n), driver)))
    table("steps of PGD on 128 images", STEPS, "ms a step", lambda k: 1000 * seconds(lambda: attack(given, k)) / k)
    if "width" in given.model.spec.args:
        few = some(given, 128)
        table("width", WIDTHS, "gradients/s", lambda w: 128 / seconds(partial(gradient, few, wide(few, w))))
    table("processes of one thread", PROCESSES, "images/s of PGD-7 training", lambda n: trained(net, n))


def table(what: str, values: Iterable, unit: str, measure: Callable[[float], float]) -> None:
    values = list(values)
    print(f"| {what} | {' | '.join(map(str, values))} |\n|{'---|' * (len(values) + 1)}")
    print(f"| {unit} | {' | '.join(f'{measure(value):,.4g}' for value in values)} |\n", flush=True)


def some(given: Problem, n: int) -> Problem:
    return Problem(given.model, given.x[:n], given.y[:n], given.norm, given.eps)


def wide(given: Problem, width: float) -> Callable:
    """The driver of a fresh network of the same kind."""
    spec = given.model.spec
    fresh = build(replace(spec, args={**spec.args, "width": width})).eval()
    return prepare(fresh, given.x, amp=True)


def attack(given: Problem, steps: int) -> None:
    few = some(given, 128)
    attacks.pgd(few.model, few.x, few.y, ball(few.norm, few.eps), steps=steps, amp=True)


def seconds(job: Callable[[], object], least: float = 1.0) -> float:
    """CPU seconds of one call, after one to warm up, over at least so many seconds."""
    job()
    begun, calls = time.process_time(), 0
    while (taken := time.process_time() - begun) < least or calls < 2:
        job()
        calls += 1
    return taken / calls


def trained(net: Path, processes: int) -> float:
    """Images a second of PGD-7 training: the time of three epochs less that of one."""
    kind = net.name.partition("-")[0]
    name, eps, options = RECIPES[kind]
    data = name if kind == "digits" else str((net.parent / "data").resolve() / name)
    line = ["-m", "advtool", "train", "--data", data, *options, "--adv", "l2", "--eps", eps, "-n", "1024"]
    if "--epochs" in line:
        del line[line.index("--epochs") : line.index("--epochs") + 2]
    walls = []
    with tempfile.TemporaryDirectory() as folder:
        for epochs in ("1", "3"):
            asked = [*line, "--epochs", epochs, "--test-limit", "1", "-q", "-o", f"{folder}/{epochs}.safetensors"]
            start = [sys.executable]
            if processes > 1:
                start += ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
            begun = time.perf_counter()
            subprocess.run([*start, *asked], check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
            walls.append(time.perf_counter() - begun)
    return 2 * 1024 / (walls[1] - walls[0])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
