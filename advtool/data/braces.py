"""Brace patterns of names, as in webdataset: how many names one stands for is known before it is expanded."""

import re

from braceexpand import braceexpand

from advtool import bounds
from advtool.errors import UsageError

_RANGE = re.compile(r"(-?\d+)\.\.(-?\d+)(?:\.\.(-?\d+))?|([A-Za-z])\.\.([A-Za-z])(?:\.\.(-?\d+))?")
_DIGITS = 18
_ESCAPED = re.compile(r"\\.", re.DOTALL)


def expanded(pattern: str) -> list[str]:
    """All names that a pattern stands for.

    Raises
    ------
    UsageError
        if its braces do not match, or are very many
    """
    shown = {"parameter": "data", "value": pattern}
    if len(pattern) > bounds.PATTERN_LENGTH:
        raise UsageError(f"a pattern of more than {bounds.PATTERN_LENGTH:,} characters", **shown)
    count = _count(pattern)
    if count is None:
        raise UsageError("unbalanced braces", **shown)
    if count > bounds.PATTERN_NAMES or count * len(pattern) > bounds.TEXT_BYTES:
        raise UsageError(f"stands for more than {bounds.PATTERN_NAMES:,} names; name a folder", **shown)
    try:
        return list(braceexpand(pattern))
    except ValueError:
        raise UsageError("unbalanced braces", **shown) from None


def _count(pattern: str) -> int | None:
    """How many names there are, or more than too many; None where braces do not match."""
    text = _ESCAPED.sub("xx", pattern)
    # of each brace that is open: the product so far of the part that is read, the sum of those before, where it began
    open_braces: list[tuple[int, int, int]] = []
    product, total = 1, 0
    for place, character in enumerate(text):
        if character == "{":
            open_braces.append((product, total, place + 1))
            product, total = 1, 0
            if len(open_braces) > bounds.BRACES:
                return bounds.PATTERN_NAMES + 1
        elif character == "," and open_braces:
            product, total = 1, total + product
        elif character == "}":
            if not open_braces:
                return None
            outer, before, start = open_braces.pop()
            product, total = outer * (_in_range(text[start:place]) or total + product), before
        if product > bounds.PATTERN_NAMES or total > bounds.PATTERN_NAMES:
            return bounds.PATTERN_NAMES + 1
    return None if open_braces else product


def _in_range(text: str) -> int | None:
    """How many numbers or letters ``1..9`` stands for; None if it is something else."""
    match = _RANGE.fullmatch(text.removesuffix("\n"))
    if not match:
        return None
    if len(text) > 3 * _DIGITS:
        return bounds.PATTERN_NAMES + 1
    if match[4]:
        first, last, step = ord(match[4]), ord(match[5]), match[6]
    else:
        first, last, step = int(match[1]), int(match[2]), match[3]
    return abs(last - first) // max(1, abs(int(step or 1))) + 1
