"""How large things may be that come from outside, all in one place; `docs/promises.md` lists them for users.

Streams may be as long as they like: what is bounded is what has to be in memory at one time, and how long one thing
may take. Whatever states its own size is measured by that before it is read.
"""

MIB = 1 << 20

MEMBER_BYTES = 256 * MIB
"""Of one member of a shard, of all members of one sample, and of one image file."""
SAMPLE_MEMBERS = 1_000
"""Of one sample."""
HEADER_BYTES = MIB
"""Of all extended headers (pax, GNU) before one member of a tar."""
NAME_LENGTH = 4_096
"""Of the name of a member of a tar, as the longest path on Linux."""
ZERO_BYTES = 16 * MIB
"""Of zeros between or after archives; tar itself pads to 10 kB."""
ASIDE = 10_000
"""Keys in one archive that are part of no sample, and are remembered in case the rest of it comes later."""
JSON_BYTES = 16 * MIB
"""Of any JSON that is parsed: heads of shards, .json members, headers of checkpoints, configurations, maps."""
LINE_BYTES = MIB
"""Of one line of a file of JSON lines."""
CLASSES = 1_000_000
"""Names or number of classes."""
PIXELS = 64_000_000
"""Of one image, and of the images that a model takes."""

CHECKPOINT_BYTES = 16 << 30
"""Of the tensors of one file of weights, and of any architecture that is built."""
TENSORS = 100_000
"""In one file of weights."""
TENSOR_NAME = 1_000
"""Characters in the name of one."""
OPERATIONS = 3_000_000
"""Of the pickle in a file of PyTorch."""
STATES = 64
"""Sets of weights in one file, and levels of nesting there."""
COPIES = 16
"""Of the network in one file, under several prefixes."""
SHARING = 8
"""How often over the tensors of one file may show the same bytes, as tied weights do."""
LAYERS = 20_000
"""Modules of an architecture; the deepest that are published have some 3,000."""

EXPANDED_BYTES = 256 * MIB
"""What may always be unpacked. Beyond that, it may be so many times the bytes on disk and no more:"""
EXPANSION = 20
"""for weights and arrays, which hardly compress,"""
SHARD_EXPANSION = 200
"""and for shards, in which members are padded with zeros."""

TEXT_BYTES = 64 * MIB
"""Of a text file with labels or numbers in it."""
ROWS = 2_000_000
"""Lines of such a file."""
KIT_BYTES = MIB
"""Of ``meta.mat`` and ``map_clsloc.txt`` of ImageNet's development kit."""
NUMBER_LENGTH = 1_000
"""Characters of a number in an option or a list."""
PATTERN_LENGTH = 65_536
"""Characters of a brace pattern."""
BRACES = 50
"""Levels of nested braces."""
PATTERN_NAMES = 100_000
"""Names that a brace pattern stands for."""
ALIKE_LENGTH, ALIKE_NAMES = 100, 5_000
"""For longer names, and among more, none that are spelled alike are looked for."""


def mib(size: int) -> str:
    """A size in words."""
    return f"{size / MIB:,.0f} MiB" if size >= MIB else f"{size:,} bytes"
