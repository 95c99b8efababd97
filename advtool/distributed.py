"""Several processes that work on one thing, as ``torchrun`` starts them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

TIMEOUT = timedelta(hours=24)
"""How long a process waits for the others; torchrun ends them at once when one dies."""


@dataclass(frozen=True)
class Processes:
    """This process's number, the number of processes, and its number on this machine."""

    rank: int = 0
    world: int = 1
    local_rank: int = 0

    @property
    def is_first(self) -> bool:
        return self.rank == 0


def processes() -> Processes:
    """What ``torchrun`` says in the environment; one process without it."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return Processes()
    return Processes(*(int(os.environ[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK")))


@contextmanager
def joined(cuda: bool = False) -> Iterator[Processes]:
    """Join the group of processes while the block lasts: nccl on GPUs, gloo on CPUs. Nothing, if there is only one."""
    here = processes()
    if here.world == 1:
        yield here
        return
    import torch.distributed

    torch.distributed.init_process_group("nccl" if cuda else "gloo", timeout=TIMEOUT)
    try:
        yield here
    finally:
        torch.distributed.destroy_process_group()


def barrier() -> None:
    """Wait until every process is here."""
    if processes().world > 1:
        import torch.distributed

        torch.distributed.barrier()


def gathered(part: object) -> list:
    """What each process has, in the order of their numbers."""
    world = processes().world
    if world == 1:
        return [part]
    import torch.distributed

    parts: list[object] = [None] * world
    torch.distributed.all_gather_object(parts, part)
    return parts
