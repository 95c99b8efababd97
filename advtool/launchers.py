"""Which of several processes this one is, as launchers say in the environment.

``torchrun``, and whoever starts processes by hand, sets RANK and WORLD_SIZE, as ``torch.distributed`` reads them;
``srun`` sets SLURM_PROCID and SLURM_STEP_NUM_TASKS. What other launchers say is refused: processes that do not know of
one another would each do everything.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from advtool.errors import UsageError

_OTHERS = {"OMPI_COMM_WORLD_SIZE": "mpirun", "PMI_SIZE": "mpiexec", "MV2_COMM_WORLD_SIZE": "mpirun"}
_FIRST_PORT, _PORTS = 15_000, 10_000
_NODE = re.compile(r"(?P<prefix>[^,\[]+)(\[(?P<number>\d+)[^\]]*\](?P<suffix>[^,]*))?")


@dataclass(frozen=True)
class Processes:
    """This process's number, the number of processes, and its number on this machine: None where nobody says it."""

    rank: int = 0
    world: int = 1
    local_rank: int | None = 0

    @property
    def is_first(self) -> bool:
        return self.rank == 0


ALONE = Processes()


def processes() -> Processes:
    """What the launcher says in the environment; one process without any.

    Raises
    ------
    UsageError
        for half of what is needed, for numbers that cannot be, or for a launcher that is not known
    """
    env = os.environ
    if "RANK" in env or "WORLD_SIZE" in env:
        return _checked("RANK", "WORLD_SIZE", "LOCAL_RANK")
    if "SLURM_STEP_NUM_TASKS" in env and "SLURM_PROCID" in env:  # within a step of srun, not in the batch script itself
        return _checked("SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_LOCALID")
    for name, launcher in _OTHERS.items():
        if env.get(name, "1").strip() not in ("", "1"):
            raise UsageError(
                f"{launcher} started {env[name]} processes, each of which would do everything: set RANK, WORLD_SIZE,"
                " LOCAL_RANK, MASTER_ADDR and MASTER_PORT, or start them with torchrun or srun"
            )
    return ALONE


def rendezvous() -> dict[str, str]:
    """RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT and, where it is known, LOCAL_RANK: how processes find one another.

    Raises
    ------
    UsageError
        if nothing says where they meet
    """
    here, env = processes(), os.environ
    names = ("MASTER_ADDR", "MASTER_PORT")
    found = {name: env[name] for name in names if env.get(name)}
    if "RANK" not in env:
        found = {**_of_slurm(env), **found}
    if missing := [name for name in names if name not in found]:
        raise UsageError(
            f"process {here.rank} of {here.world} does not know where to meet the others: {' and '.join(missing)}"
            f" {'is' if len(missing) == 1 else 'are'} not set; torchrun sets them"
        )
    local = {} if here.local_rank is None else {"LOCAL_RANK": str(here.local_rank)}
    return {"RANK": str(here.rank), "WORLD_SIZE": str(here.world), **local, **found}


def share_of_machine() -> int:
    """How many of the processes are on this machine, and have to share its memory and cores."""
    if (here := processes()).world == 1:
        return 1
    local = os.environ.get("LOCAL_WORLD_SIZE") or os.environ.get("SLURM_STEP_TASKS_PER_NODE", "")
    counts = [int(count) for count in re.findall(r"(\d+)(?:\(x\d+\))?", local)]
    return min(max(counts, default=1), here.world)


def of_array() -> int | None:
    """Which task of an array of Slurm this is, from 0; None outside of one."""
    task, first = _number("SLURM_ARRAY_TASK_ID"), _number("SLURM_ARRAY_TASK_MIN")
    step = _number("SLURM_ARRAY_TASK_STEP") or 1
    return None if task is None else (task - (first or 0)) // step


def _checked(rank: str, world: str, local: str) -> Processes:
    rank_here, size, local_rank = _number(rank), _number(world), _number(local)
    for name, found, other in ((rank, rank_here, world), (world, size, rank)):
        if found is None:
            raise UsageError(f"{other} is {os.environ[other]} and {name} is not set: set both, or neither")
    assert rank_here is not None and size is not None
    if not 0 <= rank_here < size:
        raise UsageError(f"{rank} is {rank_here} of {world} {size}: ranks go from 0 to one less than there are")
    return Processes(rank_here, size, local_rank if size > 1 else 0)


def _number(name: str) -> int | None:
    text = os.environ.get(name, "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit()):
        raise UsageError(f"{name} is '{text}', no number of processes")
    return int(text)


def _of_slurm(env: Mapping[str, str]) -> dict[str, str]:
    """The first node of the step, where task 0 runs, and a port that other jobs of the node do not take."""
    found = {}
    if match := _NODE.match(env.get("SLURM_STEP_NODELIST") or env.get("SLURM_JOB_NODELIST") or ""):
        found["MASTER_ADDR"] = f"{match['prefix']}{match['number'] or ''}{match['suffix'] or ''}"
    numbers = [re.sub(r"\D", "", env.get(name, "")) for name in ("SLURM_JOB_ID", "SLURM_STEP_ID")]
    if all(numbers):
        found["MASTER_PORT"] = str(_FIRST_PORT + (int(numbers[0]) * 7 + int(numbers[1])) % _PORTS)
    return found
