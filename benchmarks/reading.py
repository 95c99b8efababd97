"""Shards read, decoded and written, beside webdataset: ``python -m benchmarks.reading SHARD``, on one thread.

CPU seconds for the images of a tar of ``jpg`` or ``png`` and ``cls``, images/s.
"""

import sys
import time
from collections.abc import Callable

import numpy as np

from advtool.data.arrays import load
from advtool.data.sources import resolve


def main(shard: str) -> None:
    jobs: dict[str, Callable[[], int]] = {
        "advtool, decoded": lambda: len(load(resolve(shard))),
        "webdataset, decoded": lambda: decoded(shard),
    }
    for name, job in jobs.items():
        begun = time.process_time()
        try:
            n = job()
        except ImportError:
            print(f"{name}: is not installed")
            continue
        taken = time.process_time() - begun
        print(f"{name}: {n} images, {taken:.2f} s, {n / taken:,.0f} images/s", flush=True)


def decoded(shard: str) -> int:
    """The images as arrays of bytes, one by one, in memory in the end."""
    import webdataset

    pairs = webdataset.WebDataset(shard, shardshuffle=False).decode("rgb8").to_tuple("jpg;png", "cls")
    return len(np.stack([image for image, _ in pairs]))


if __name__ == "__main__":
    main(sys.argv[1])
