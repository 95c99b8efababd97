"""Several processes that work on one thing, as `launchers` finds them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from advtool.errors import AdvtoolError
from advtool.launchers import Processes, processes, rendezvous, share_of_machine

if TYPE_CHECKING:
    import numpy as np
    import torch
    from _typeshed import DataclassInstance

_Sums = TypeVar("_Sums", bound="DataclassInstance")
__all__ = ["Processes", "barrier", "gathered", "joined", "processes", "sent", "share_of_machine", "summed"]

TIMEOUT = timedelta(hours=24)
"""How long a process waits for the others in the middle of the work; one that died ends the others at once."""

JOINING = timedelta(minutes=10)
"""How long a process waits for the others to start."""


class Left(AdvtoolError):
    """Another process of the run has ended before its end."""


@contextmanager
def joined(device: "torch.device | None" = None) -> Iterator[Processes]:
    """Join the group of processes while the block lasts. Nothing, if there is only one.

    Parameters
    ----------
    device : on which tensors are exchanged: by nccl if it is a GPU, and by gloo on the CPU. Without one gloo exchanges
        counts and names alone, so that several processes may share a GPU

    Raises
    ------
    UsageError
        if nothing says where the processes meet
    Left
        if they do not all come, or one of them ends before the others
    """
    here = processes()
    if here.world == 1:
        yield here
        return
    import torch.distributed as dist

    os.environ.update(rendezvous())
    backend: dict[str, Any] = {"backend": "gloo"}
    if device is not None and device.type == "cuda":
        backend = {"backend": "cpu:gloo,cuda:nccl", "device_id": torch.device("cuda", torch.cuda.current_device())}
    try:
        store, rank, world = next(dist.rendezvous("env://", timeout=JOINING))
        store.set_timeout(JOINING)
        if os.environ.get("GROUP_WORLD_SIZE") == "1":  # torchrun on one machine starts again with the store of before
            store = dist.PrefixStore(f"attempt_{os.environ.get('TORCHELASTIC_RESTART_COUNT', 0)}", store)
        dist.init_process_group(store=store, rank=rank, world_size=world, timeout=TIMEOUT, **backend)
    except (RuntimeError, ValueError) as error:
        raise Left(f"process {here.rank} of {here.world} did not find the others ({_first(error)})") from error
    try:
        yield here
    except RuntimeError as error:
        if not _is_of_others(error):
            raise
        raise Left(f"process {here.rank} of {here.world} ends: another has ended before it") from error
    finally:
        dist.destroy_process_group()


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


def sent(array: "np.ndarray", rank: int) -> "np.ndarray":
    """The array of one process, in every one of them.

    Parameters
    ----------
    array : in that process what is sent; in the others one of the same shape and kind, which is overwritten
    """
    import torch

    torch.distributed.broadcast(torch.from_numpy(array), rank)
    return array


def summed(tally: _Sums) -> _Sums:
    """The sums of all processes: of a dataclass of numbers, field by field."""
    parts = gathered(tally)
    return replace(tally, **{each.name: sum(getattr(part, each.name) for part in parts) for each in fields(tally)})


def _is_of_others(error: RuntimeError) -> bool:
    """Whether a failure is that of an exchange with another process."""
    import torch.distributed as dist

    return isinstance(error, dist.DistError) or any(word in str(error).lower() for word in ("gloo", "nccl"))


def _first(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
