"""What is decided about GPUs, without one."""

import os

import pytest
import torch

from advtool import device as devices
from advtool.device import choose, in_float32, memory_budget, use_amp
from advtool.distributed import share_of_machine
from advtool.errors import UsageError
from advtool.memory import images_at_a_time, in_halves

CUDA = torch.device("cuda")


@pytest.fixture
def gpus(monkeypatch):
    """Two GPUs, as far as torch says."""
    taken = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda *_: "Old GPU")
    monkeypatch.setattr(torch.cuda, "set_device", taken.append)
    return taken


def as_rank(monkeypatch, rank: int, world: int = 4) -> None:
    for name, value in {
        "TORCHELASTIC_RUN_ID": "x",
        "RANK": rank,
        "WORLD_SIZE": world,
        "LOCAL_RANK": rank,
        "LOCAL_WORLD_SIZE": world,
    }.items():
        monkeypatch.setenv(name, str(value))


def test_a_gpu_that_runs_nothing_is_passed_over(gpus, monkeypatch):
    def ones(*_, **__):
        raise RuntimeError("CUDA error: no kernel image is available for execution on the device\nmore")

    monkeypatch.setattr(torch, "ones", ones)
    device, reason = choose("auto")
    assert device.type == "cpu" and "Old GPU does not run: CUDA error: no kernel image" in reason
    assert "\n" not in reason


@pytest.mark.parametrize("name", ["auto", "cuda"])
def test_each_process_takes_a_gpu_of_its_own(gpus, monkeypatch, name):
    monkeypatch.setattr(torch, "empty", lambda *_, **__: None)
    monkeypatch.setattr(torch, "ones", lambda *_, **__: torch.zeros(1))
    as_rank(monkeypatch, 1)
    assert choose(name)[0] == CUDA and gpus == [1]
    as_rank(monkeypatch, 2)
    with pytest.raises(UsageError, match="2 GPUs are too few for 3 processes"):
        choose(name)
    with pytest.raises(UsageError, match="each takes a GPU of its own"):
        choose("cuda:0")


@pytest.mark.parametrize(
    ("capability", "hip", "expected"), [((7, 5), None, False), ((8, 0), None, True), ((7, 0), "6", True)]
)
def test_bfloat16_is_for_gpus_that_have_it(monkeypatch, capability, hip, expected):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *_: capability)
    monkeypatch.setattr(torch.version, "hip", hip)
    assert use_amp(None, CUDA) is expected
    assert use_amp(False, CUDA) is False and use_amp(True, CUDA) is True


@pytest.mark.parametrize(("amx", "avx", "expected"), [(False, False, False), (True, False, True), (False, True, True)])
def test_bfloat16_is_for_cpus_that_have_it(monkeypatch, amx, avx, expected):
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx, raising=False)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx, raising=False)
    assert use_amp(None, torch.device("cpu")) is expected


def test_float32_is_float32():
    before = torch.backends.cudnn.conv.fp32_precision
    with in_float32():
        assert torch.backends.cudnn.conv.fp32_precision == "ieee"
        assert torch.backends.cuda.matmul.fp32_precision == "ieee"
    assert torch.backends.cudnn.conv.fp32_precision == before
    with pytest.raises(ZeroDivisionError), in_float32():
        raise ZeroDivisionError
    assert torch.backends.cudnn.conv.fp32_precision == before


def test_the_processes_of_a_machine_share_its_memory(monkeypatch):
    alone = memory_budget(torch.device("cpu"), None)
    assert share_of_machine() == 1
    as_rank(monkeypatch, 0, world=8)
    assert memory_budget(torch.device("cpu"), None) == pytest.approx(alone / 8, rel=0.2)
    assert memory_budget(torch.device("cpu"), 2) == 2 * 2**30


def test_memory_where_the_system_does_not_say_what_is_free(monkeypatch):
    monkeypatch.setattr(os, "sysconf_names", {"SC_PAGE_SIZE": 1, "SC_PHYS_PAGES": 2})
    assert devices._free_memory() == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 4


def test_large_images_come_in_smaller_batches():
    assert [images_at_a_time((3, side, side)) for side in (28, 32, 100, 224, 10_000)] == [512, 512, 512, 111, 1]


@pytest.mark.parametrize("text", ["CUDNN_STATUS_ALLOC_FAILED", "CUBLAS_STATUS_ALLOC_FAILED when calling"])
def test_libraries_that_lack_memory_are_given_less(text, monkeypatch):
    from advtool import memory

    monkeypatch.setattr(memory._Limit, "at_most", None)

    def compute(part: slice) -> int:
        if part.stop - part.start > 3:
            raise RuntimeError(text)
        return part.stop - part.start

    with pytest.warns(memory.MemoryWarning):
        assert sum(in_halves(compute, 11)) == 11
