"""Several processes of the real command, as launchers start them."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests_support import COMMAND, environment


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


def plainly(world: int) -> Iterator[dict[str, str]]:
    """What is set for each process by whoever starts them by hand."""
    port = str(free_port())
    for rank in range(world):
        yield {"RANK": str(rank), "WORLD_SIZE": str(world), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}


def by_srun(world: int, job: int = 0) -> Iterator[dict[str, str]]:
    """What ``srun`` sets for each task of a step on one node."""
    job = job or free_port()
    shared = {"SLURM_JOB_ID": str(job), "SLURM_STEP_ID": "0", "SLURM_STEP_NODELIST": "localhost"}
    shared |= {"SLURM_STEP_NUM_TASKS": str(world), "SLURM_STEP_TASKS_PER_NODE": str(world)}
    for rank in range(world):
        yield {**shared, "SLURM_PROCID": str(rank), "SLURM_LOCALID": str(rank)}


def start(
    directory: Path, arguments: Sequence[object], envs: Iterator[Mapping[str, str]] | Sequence[Mapping[str, str]]
) -> list[subprocess.Popen]:
    """``advtool ARGUMENTS`` once for each environment."""
    return [
        subprocess.Popen(
            [*COMMAND, *map(str, arguments)],
            cwd=directory,
            env=environment(**env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for env in envs
    ]


def ended(processes: Sequence[subprocess.Popen], timeout: float = 120) -> list[tuple[int, str, str]]:
    """(exit status, stdout, stderr) of each; those that do not end are killed."""
    limit = time.monotonic() + timeout
    try:
        found = [process.communicate(timeout=max(0.1, limit - time.monotonic())) for process in processes]
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
    return [
        (process.returncode, out.decode(), err.decode()) for process, (out, err) in zip(processes, found, strict=True)
    ]


def wait_for(path: Path, processes: Sequence[subprocess.Popen], seconds: float = 90) -> None:
    """Wait until a file is there."""
    limit = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < limit and all(process.poll() is None for process in processes), path
        time.sleep(0.05)


def kill(process: subprocess.Popen) -> None:
    """End a process without a word to it."""
    os.kill(process.pid, signal.SIGKILL)
