"""``python -m benchmarks.measure JOB NET NORM EPS N``: one job in a process of its own, its figures as a line of JSON.

CPU seconds are those of the process after it has imported everything and has run the job on a few images.
"""

import json
import sys
import time
from pathlib import Path

import torch

from benchmarks import jobs, plain
from benchmarks.nets import Problem, problem

MISSING = 77
"""Exit status where the library is not installed."""


def main(name: str, net: str, norm: str, eps: float, n: int, threads: int) -> None:
    torch.set_num_threads(threads)
    try:
        job = jobs.find(name)
    except ImportError:
        sys.exit(MISSING)
    given = problem(Path(net), norm, eps, n)
    job(few(given))
    cpu, wall = time.process_time(), time.perf_counter()
    found = job(given)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    figures = found if isinstance(found, dict) else plain.judged(given, found)
    print(json.dumps({"cpu": cpu, "wall": wall, **figures}))


def few(given: Problem) -> Problem:
    """The problem with a few images and steps, to warm up on."""
    return Problem(given.model, given.x[:16], given.y[:16], given.norm, given.eps, warm_up=True)


if __name__ == "__main__":
    main(*sys.argv[1:4], float(sys.argv[4]), int(sys.argv[5]), int(sys.argv[6]))
