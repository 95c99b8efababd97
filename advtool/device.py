"""Which device to compute on, how much of its memory to use, and why."""

import os
from dataclasses import dataclass

import torch
from torch import Tensor

from advtool.distributed import processes
from advtool.errors import UsageError

_CPU_BFLOAT16 = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")


@dataclass(frozen=True)
class Settings:
    """How to go through images, none of which changes a result by more than rounding, but for the seed."""

    device: torch.device
    batch_size: int = 256
    seed: int = 0
    amp: bool = False


def choose(name: str) -> tuple[torch.device, str]:
    """The device of that name and the reason for it; ``auto`` takes the fastest that there is.

    Raises
    ------
    UsageError
        if there is no such device
    """
    if name == "auto":
        if torch.cuda.is_available():
            if (here := processes()).world > 1:
                torch.cuda.set_device(here.local_rank)
            return torch.device("cuda"), f"cuda ({torch.cuda.get_device_name()})"
        if torch.backends.mps.is_available():
            return torch.device("mps"), "mps (Apple GPU)"
        return torch.device("cpu"), f"cpu ({torch.get_num_threads()} threads; no GPU found)"
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:  # what torch raises, by kind of device
        message = f"not available ({str(error).splitlines()[0]})"
        raise UsageError(message, parameter="device", value=name) from None
    return device, f"{name} (as asked)"


def use_amp(asked: bool | None, device: torch.device, training: bool = True) -> bool:
    """Whether to compute in bfloat16: as asked, else on GPUs that have it.

    Attacks, which confirm in float32 what they find, use it as well on CPUs with instructions for it (AMX, AVX-512
    BF16), where it is about twice as fast.
    """
    if asked is not None:
        return asked
    if device.type == "cpu" and not training:
        return any(getattr(torch.cpu, name, bool)() for name in _CPU_BFLOAT16)
    return device.type == "cuda" and torch.cuda.is_bf16_supported()


def float64(x: Tensor) -> Tensor:
    """The tensor in float64; on the CPU if its device, as Apple's GPUs, has no such numbers."""
    return x.cpu().double() if x.device.type == "mps" else x.double()


def memory_budget(device: torch.device, asked_gib: float | None) -> float:
    """Bytes of pixels to hold at most: as asked, else half of the memory that is free."""
    if asked_gib is not None:
        return asked_gib * 2**30
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if device.type == "cuda":
        free = min(free, torch.cuda.mem_get_info(device)[0])
    return free / 2
