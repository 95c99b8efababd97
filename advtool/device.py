"""Which device to compute on, how much of its memory to use, and why."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from advtool.errors import UsageError
from advtool.launchers import Processes, processes, share_of_machine

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

    Of several processes each takes the GPU of its number on this machine.

    Raises
    ------
    UsageError
        if there is no such device, or not one for each process
    """
    if name == "auto":
        return _fastest()
    here = processes()
    if here.world > 1 and name.startswith("cuda:"):
        raise UsageError("of several processes each takes a GPU of its own: cuda", parameter="device", value=name)
    try:
        device = torch.device(name)
        if here.world > 1 and device.type == "cuda":
            _take_own(here)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:  # what torch raises, by kind of device
        message = f"not available ({str(error).splitlines()[0]})"
        raise UsageError(message, parameter="device", value=name) from None
    return device, f"{name} (as asked)"


def _fastest() -> tuple[torch.device, str]:
    """A GPU that torch can run something on, or else the CPU, and why."""
    missing = "no GPU found"
    if torch.cuda.is_available():
        if (here := processes()).world > 1:
            _take_own(here)
        try:
            torch.ones(1, device="cuda").add(1).item()
            return torch.device("cuda"), f"cuda ({torch.cuda.get_device_name()})"
        except RuntimeError as error:
            missing = f"{torch.cuda.get_device_name()} does not run: {str(error).splitlines()[0]}"
    elif torch.backends.mps.is_available():
        return torch.device("mps"), "mps (Apple GPU)"
    return torch.device("cpu"), f"cpu ({torch.get_num_threads()} threads; {missing})"


def _take_own(here: Processes) -> None:
    """Compute on the GPU of this process's number on its machine; of its number among all where nobody says that."""
    count = torch.cuda.device_count()
    number = here.rank % max(count, 1) if here.local_rank is None else here.local_rank
    if number >= count:
        message = f"{count} GPUs are too few for {number + 1} processes on this machine"
        raise UsageError(message, parameter="device", value="cuda")
    torch.cuda.set_device(number)


@contextmanager
def in_float32() -> Iterator[None]:
    """Convolutions and products on GPUs in float32 and not in TF32, of which torch makes float32 by default."""
    places: list[Any] = [torch.backends.cudnn.conv, torch.backends.cuda.matmul]  # type: ignore[attr-defined]
    before = [place.fp32_precision for place in places]
    try:
        for place in places:
            place.fp32_precision = "ieee"
        yield
    finally:
        for place, precision in zip(places, before, strict=True):
            place.fp32_precision = precision


def use_amp(asked: bool | None, device: torch.device) -> bool:
    """Whether to compute in bfloat16: as asked, else on GPUs, and on CPUs with instructions for it (AMX, AVX-512 BF16),
    where it is two to three times as fast. Attacks confirm in float32 what they find."""
    if asked is not None:
        return asked
    if device.type == "cpu":
        return any(getattr(torch.cpu, name, bool)() for name in _CPU_BFLOAT16)
    if device.type != "cuda":
        return False
    return torch.version.hip is not None or torch.cuda.get_device_capability(device) >= (8, 0)


def float64(x: Tensor) -> Tensor:
    """The tensor in float64; on the CPU if its device, as Apple's GPUs, has no such numbers."""
    return x.cpu().double() if x.device.type == "mps" else x.double()


def memory_budget(device: torch.device, asked_gib: float | None) -> float:
    """Bytes of pixels to hold at most: as asked, else half of the memory that is free."""
    if asked_gib is not None:
        return asked_gib * 2**30
    free = _free_memory() / share_of_machine()
    if device.type == "cuda":
        free = min(free, torch.cuda.mem_get_info(device)[0])
    return free / 2


def _free_memory() -> float:
    """Bytes of memory that are free; where the system does not say, a quarter of all."""
    page = os.sysconf("SC_PAGE_SIZE")
    if "SC_AVPHYS_PAGES" in os.sysconf_names:
        return os.sysconf("SC_AVPHYS_PAGES") * page
    return os.sysconf("SC_PHYS_PAGES") * page / 4
