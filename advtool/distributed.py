"""Several processes that work on one thing, as ``torchrun`` starts them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

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


def share_of_machine() -> int:
    """How many of the processes are on this machine, and have to share its memory."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1")) if processes().world > 1 else 1


@contextmanager
def joined(device: "torch.device | None" = None) -> Iterator[Processes]:
    """Join the group of processes while the block lasts. Nothing, if there is only one.

    Parameters
    ----------
    device : on which tensors are exchanged: by nccl if it is a GPU. Without one gloo exchanges counts and names on the
        CPU, so that several processes may share a GPU
    """
    here = processes()
    if here.world == 1:
        yield here
        return
    import torch.distributed

    if device is not None and device.type == "cuda":
        place = torch.device("cuda", torch.cuda.current_device())
        torch.distributed.init_process_group("nccl", timeout=TIMEOUT, device_id=place)
    else:
        torch.distributed.init_process_group("gloo", timeout=TIMEOUT)
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
