"""Seeds derived by name."""

import hashlib


def derive(seed: int, *parts: int | str) -> int:
    """A seed of its own for one use (a restart, an epoch, a sample), from a seed and what names the use: 56 bits."""
    text = "/".join(map(str, (seed, *parts)))
    return int.from_bytes(hashlib.blake2b(text.encode(errors="surrogateescape"), digest_size=8).digest(), "little") >> 8
