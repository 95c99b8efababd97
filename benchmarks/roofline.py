"""How far from the machine's limits: ``python -m benchmarks.roofline NET [N]``, on one thread.

FLOPs of a loss gradient in the images, the peak of large matrix products, and what each kind of operation takes.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from advtool.prepared import prepare
from benchmarks.nets import Problem, problem

KINDS = {"convolution": "conv", "ReLU": ("threshold", "clamp"), "addition": "add", "copies": ("copy", "contiguous")}


def main(net: str, n: int) -> None:
    torch.set_num_threads(1)
    given = problem(Path(net), "l2", 0.5, n)
    flops = FlopCounterMode(display=False)
    with flops:
        gradient(given, given.model)
    total = flops.get_total_flops()
    print(f"{Path(net).stem}, {n} images: {total / n / 1e6:.1f} MFLOP a gradient and image")
    peaks = {dtype: peak(dtype) for dtype in (torch.float32, torch.bfloat16)}
    shown = ", ".join(f"{dtype} {found:.0f}" for dtype, found in peaks.items())
    print(f"peak GFLOP/s: {shown}; copying {copying():.1f} GB/s")
    for name, amp in (("float32", None), ("folded float32", False), ("folded bfloat16", True)):
        driver = given.model if amp is None else prepare(given.model, given.x, amp)
        seconds = timed(lambda driver=driver: gradient(given, driver))
        reached = total / seconds / 1e9 / peaks[torch.bfloat16 if amp else torch.float32]
        print(f"{name}: {n / seconds:,.0f} images/s, {100 * reached:.0f}% of the peak; {shares(given, driver)}")


def gradient(given: Problem, driver: Callable) -> None:
    x = given.x.clone().requires_grad_(True)
    F.cross_entropy(driver(x).float(), given.y, reduction="sum").backward()  # the weights are frozen


def timed(run: Callable[[], object], seconds: float = 1.0) -> float:
    """CPU seconds of a run, the median of as many as fit."""
    run()
    times, end = [], time.process_time() + seconds
    while time.process_time() < end or len(times) < 3:
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    return sorted(times)[len(times) // 2]


def peak(dtype: torch.dtype, size: int = 2048) -> float:
    """GFLOP/s of a large product of matrices."""
    a, b = torch.randn(size, size).to(dtype), torch.randn(size, size).to(dtype)
    return 2 * size**3 / timed(lambda: a @ b) / 1e9


def copying(mib: int = 256) -> float:
    """GB/s read and written."""
    a = torch.zeros(mib << 18)
    b = torch.empty_like(a)
    return 2 * a.nbytes / timed(lambda: b.copy_(a)) / 1e9


def shares(given: Problem, driver: Callable) -> str:
    """The share of the time of each kind of operation."""
    with profile(activities=[ProfilerActivity.CPU]) as found:
        for _ in range(5):
            gradient(given, driver)
    events = [(event.key, event.self_cpu_time_total) for event in found.key_averages()]
    total, left = sum(spent for _, spent in events), 100.0
    parts = []
    for kind, words in KINDS.items():
        words = (words,) if isinstance(words, str) else words
        share = 100 * sum(spent for key, spent in events if any(word in key for word in words)) / total
        left -= share
        parts.append(f"{kind} {share:.0f}%")
    return ", ".join([*parts, f"the rest {left:.0f}%"])


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 128)
