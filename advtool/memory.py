"""Work on batches that may not fit into memory: what does not is halved and tried again."""

import ctypes
import sys
import warnings
from collections.abc import Callable
from functools import cache
from typing import TypeVar

import torch
from torch import Tensor

Result = TypeVar("Result")
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_LARGEST_KEPT = 32 << 20
_SAYS = ("out of memory", "not enough memory", "CUDNN_STATUS_ALLOC_FAILED", "CUBLAS_STATUS_ALLOC_FAILED")
_MOST, _COMPONENTS = 512, 1 << 24


class MemoryWarning(UserWarning):
    """Batches are smaller than was asked for."""


class _Limit:
    """The most images at a time that fitted, once some did not."""

    at_most: int | None = None


def images_at_a_time(shape: tuple[int, int, int]) -> int:
    """How many images of a shape C×H×W to work on at a time, where nobody says: 512, or about 17 million components."""
    channels, height, width = shape
    return min(_MOST, max(1, _COMPONENTS // (channels * height * width)))


def in_halves(compute: Callable[[slice], Result], n: int) -> list[Result]:
    """The results for n images: of all at once, or of halves, quarters and so on where that does not fit.

    From then on batches of the whole process are as small; one warning says so.

    Parameters
    ----------
    compute : works on a slice of the images, each by itself

    Raises
    ------
    RuntimeError, MemoryError
        if not even one image fits
    """
    results, start = [], 0
    while start < n:
        size = min(n - start, _Limit.at_most or n)
        found = _tried(compute, slice(start, start + size))
        if found is None:
            _Limit.at_most = max(1, size // 2)
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            text = f"{size} images at a time do not fit into memory: {_Limit.at_most} at a time from here on"
            warnings.warn(text, MemoryWarning, stacklevel=2)
        else:
            results += found
            start += size
    return results


def piecewise(
    compute: Callable[[Tensor, Tensor, Tensor], Tensor], inputs: Tensor, labels: Tensor, ids: Tensor | None
) -> Tensor:
    """One tensor out of inputs, labels and ids, N each, in as few pieces as fit; without ids, places are ids."""
    keys = torch.arange(len(inputs), device=inputs.device) if ids is None else ids
    pieces = in_halves(lambda part: compute(inputs[part], labels[part], keys[part]), len(inputs))
    return torch.cat(pieces) if pieces else inputs


@cache
def keep_freed() -> None:
    """Have the C library keep freed memory for what is allocated next, up to 1 GB.

    Each step of an attack or of training allocates what the one before freed; taken back by the system in between,
    every page of it would be a fault, up to a third of the time of a small network. Of effect with glibc.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt:
        mallopt(_M_MMAP_THRESHOLD, _LARGEST_KEPT)
        mallopt(_M_TRIM_THRESHOLD, 1 << 30)


def _tried(compute: Callable[[slice], Result], part: slice) -> list[Result] | None:
    """The result in a list; None if it took too much memory, whose frames are gone when this returns."""
    try:
        return [compute(part)]
    except (RuntimeError, MemoryError) as error:
        wants_memory = isinstance(error, MemoryError) or any(text in str(error) for text in _SAYS)
        if not wants_memory or part.stop - part.start == 1:
            raise
    return None
