"""Options that the library and the commands share: how many images, and on what to compute."""

from dataclasses import dataclass
from typing import ClassVar

from advtool.options import Options, option


@dataclass(frozen=True, kw_only=True)
class Amount(Options):
    """How many images."""

    panel: ClassVar[str] = "Data"

    limit: int | None = option("-n", "--limit", metavar="N", minimum=1, help="Use the first N images.", unset="all")


@dataclass(frozen=True, kw_only=True)
class Machine(Options):
    """On what it is computed, and with which random numbers."""

    panel: ClassVar[str] = "Machine"

    seed: int = option(
        "--seed", metavar="N", minimum=0, maximum=2**31 - 1, default=0, help="Seed of everything random."
    )
    device: str = option(
        "--device", metavar="NAME", default="auto", help="auto, cpu, cuda, cuda:1 or mps.", unset="the fastest found"
    )
    batch_size: int | None = option(
        "--batch-size",
        metavar="N",
        minimum=1,
        help="Images at a time.",
        unset="by their size, at most 512",
        decides=False,
    )


@dataclass(frozen=True, kw_only=True)
class Precision(Options):
    """With how many digits."""

    panel: ClassVar[str] = "Machine"

    amp: bool | None = option(
        "--amp/--no-amp",
        help="Compute in bfloat16; successes of attacks are confirmed in float32.",
        unset="on for GPUs and CPUs with bfloat16 instructions",
    )


@dataclass(frozen=True, kw_only=True)
class Memory(Options):
    """In how much memory."""

    panel: ClassVar[str] = "Machine"

    max_memory: float | None = option(
        "--max-memory",
        metavar="GIB",
        help="Memory for images: train streams those that need more, distill draws its starts from a part of them.",
        unset="half of what is free",
    )
