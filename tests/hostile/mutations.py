"""Random changes of the bytes of a file."""

import random
import re
from collections.abc import Callable, Sequence

from hostile.corpus import JSON_VALUES

_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?")
_VALUE = re.compile(rb'"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?|true|false|null|\[[^\[\]]*\]')
_NUMBERS = (
    b"0",
    b"-1",
    b"1e400",
    b"NaN",
    b"4294967296",
    b"18446744073709551616",
    b"9" * 30,
    b"1" * 5_000,
    b"0.5",
    b"1/0",
)
_VALUES = tuple(value.encode() for name, value in JSON_VALUES.items() if name != "deep")


def mutated(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """The data after one change, or a few."""
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        data = rng.choice(_CHANGES)(data or b"\0", rng, others)
    return data[: 4 << 20]


def _flip(data: bytes, rng: random.Random, _: Sequence[bytes]) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 4, 30))):
        changed[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _overwrite(data: bytes, rng: random.Random, _: Sequence[bytes]) -> bytes:
    place = rng.randrange(len(data))
    new = rng.choice((b"\0", b"\xff", b"\x80\0\0\0", b"\xff" * 8, rng.randbytes(4), rng.randbytes(40)))
    return data[:place] + new + data[place + len(new) :]


def _cut(data: bytes, rng: random.Random, _: Sequence[bytes]) -> bytes:
    return data[: rng.randrange(len(data))]


def _remove(data: bytes, rng: random.Random, _: Sequence[bytes]) -> bytes:
    place = rng.randrange(len(data))
    return data[:place] + data[place + rng.choice((1, 4, 64, 512)) :]


def _insert(data: bytes, rng: random.Random, _: Sequence[bytes]) -> bytes:
    place = rng.randrange(len(data))
    new = rng.choice((b"\0", b"\n", b"{", b"]", b"\xff", b"%s", rng.randbytes(16), b"\0" * 512, b"a" * 100_000))
    return data[:place] + new + data[place:]


def _repeat(data: bytes, rng: random.Random, _: Sequence[bytes]) -> bytes:
    start = rng.randrange(len(data))
    end = min(len(data), start + rng.choice((1, 8, 100, 512, 4096)))
    return data[:start] + data[start:end] * rng.choice((2, 10, 1000)) + data[end:]


def _splice(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    other = rng.choice(others)
    return data[: rng.randrange(len(data))] + other[rng.randrange(len(other) or 1) :]


def _swap(data: bytes, rng: random.Random, _: Sequence[bytes]) -> bytes:
    size = rng.choice((4, 16, 512))
    one, two = sorted(rng.randrange(len(data)) for _ in range(2))
    if two < one + size:
        return data
    return data[:one] + data[two : two + size] + data[one + size : two] + data[one : one + size] + data[two + size :]


def _replace(pattern: re.Pattern[bytes], values: Sequence[bytes]) -> Callable[..., bytes]:
    def change(data: bytes, rng: random.Random, _: Sequence[bytes]) -> bytes:
        matches = list(pattern.finditer(data[:20_000]))
        if not matches:
            return data
        match = rng.choice(matches)
        return data[: match.start()] + rng.choice(values) + data[match.end() :]

    return change


_CHANGES: tuple[Callable[..., bytes], ...] = (
    *(_flip, _overwrite, _cut, _remove, _insert, _repeat, _splice, _swap),
    *(_replace(_NUMBER, _NUMBERS), _replace(_VALUE, _VALUES), _replace(_VALUE, _VALUES)),
)
