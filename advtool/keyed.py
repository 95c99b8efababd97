"""Random numbers that belong to an example, whatever batch, shard or device it is in.

A counter-based generator: number i of an example is a hash (SplitMix64's finaliser, Steele et al. 2014) of the
example's id, the seed and i.
"""

import hashlib
import math
from collections.abc import Iterable

import torch
from torch import Tensor

_GOLDEN = -7046029254386353131  # 2⁶⁴ divided by the golden ratio, as a signed integer
_MIX_1, _MIX_2 = -4658895280553007687, -7723592293110705685


def ids_of(keys: Iterable[str]) -> Tensor:
    """64-bit ids of sample keys: N."""
    digests = b"".join(hashlib.blake2b(key.encode(errors="surrogateescape"), digest_size=8).digest() for key in keys)
    return torch.frombuffer(bytearray(digests), dtype=torch.int64) if digests else torch.zeros(0, dtype=torch.int64)


def uniform(shape: torch.Size | tuple[int, ...], ids: Tensor, seed: int) -> Tensor:
    """Numbers uniform in [0, 1), float32; row n of the result depends on ids[n], the seed and the row's shape."""
    return (bits(shape, ids, seed) >> 40).bitwise_and((1 << 24) - 1).float() / (1 << 24)


def normal(shape: torch.Size | tuple[int, ...], ids: Tensor, seed: int) -> Tensor:
    """Standard normal numbers, float32, by Box and Muller."""
    radius = (-2 * torch.log1p(-uniform(shape, ids, 2 * seed + 1))).sqrt()
    return radius * torch.cos(2 * math.pi * uniform(shape, ids, 2 * seed + 2))


def draws(id_: int, first: int, count: int, device: torch.device | None = None) -> Tensor:
    """Ids of the draws of one example, from a number on: count."""
    numbers = torch.arange(first, first + count, device=device)
    return _mix(_mix(numbers + _GOLDEN) + id_)


def bits(shape: torch.Size | tuple[int, ...], ids: Tensor, seed: int) -> Tensor:
    """64 random bits each, int64; row n of the result depends on ids[n], the seed and the row's shape."""
    counter = torch.arange(1, math.prod(shape[1:]) + 1, device=ids.device)
    start = _mix(ids + _wrapped(_mixed(_wrapped(seed * _GOLDEN + 1))))
    return _mix(start[:, None] + counter * _GOLDEN).view(shape)


def _mixed(x: int) -> int:
    """`_mix` of a number of 64 bits, which needs no tensor on the device."""
    x %= 1 << 64
    for shift, factor in ((30, _MIX_1), (27, _MIX_2)):
        x = (x ^ x >> shift) * factor % (1 << 64)
    return x ^ x >> 31


def _wrapped(x: int) -> int:
    """A number as a signed one of 64 bits."""
    return (x + (1 << 63)) % (1 << 64) - (1 << 63)


def _mix(x: Tensor) -> Tensor:
    x = (x ^ _shifted(x, 30)) * _MIX_1
    x = (x ^ _shifted(x, 27)) * _MIX_2
    return x ^ _shifted(x, 31)


def _shifted(x: Tensor, by: int) -> Tensor:
    """Logical right shift; torch's is arithmetic."""
    return (x >> by) & ((1 << (64 - by)) - 1)
