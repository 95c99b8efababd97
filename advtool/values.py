"""Values of options: read from text, checked, and written so that they are read back exactly."""

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from advtool import bounds
from advtool.errors import UsageError


def number(given: str) -> float:
    """A finite number, as a decimal or a fraction such as 8/255, in ASCII digits."""
    from fractions import Fraction

    try:
        if len(given) > bounds.NUMBER_LENGTH or not given.isascii() or "_" in given:  # Python's, which nobody means
            raise ValueError
        value = float(Fraction(given.strip())) if "/" in given else float(given)
    except ZeroDivisionError:
        raise UsageError("division by zero", value=given) from None
    except (ValueError, OverflowError):
        raise UsageError("not a number or a fraction such as 8/255", value=given) from None
    if not math.isfinite(value):
        raise UsageError("must be finite", value=given)
    return value + 0.0  # -0 is 0


def fraction(given: str) -> float:
    """The same, but ≥ 0."""
    value = number(given)
    if value < 0:
        raise UsageError("must not be negative", value=given)
    return value


def fractions(given: str) -> tuple[float, ...]:
    """A comma list of them."""
    return tuple(fraction(part) for part in given.split(","))


def one_or_more(given: str) -> float | tuple[float, ...]:
    """A number ≥ 0, or a comma list of them."""
    values = fractions(given)
    return values[0] if len(values) == 1 else values


def integer(given: str) -> int:
    """A whole number in ASCII digits, with or without a sign, below 10¹⁸."""
    if len(given) > bounds.NUMBER_LENGTH or not re.fullmatch(r"[+-]?[0-9]+", given.strip()):
        raise UsageError("not a whole number", value=given)
    if len(given) > 18:
        raise UsageError("has more than 18 digits", value=given)
    return int(given.strip())


def counts(given: str) -> tuple[int, ...]:
    """A comma list of positive integers."""
    try:
        values = tuple(map(integer, given.split(",")))
    except UsageError:
        values = (0,)
    if not all(0 < value < 2**31 for value in values):
        raise UsageError("must be positive integers, separated by commas", value=given)
    return values


def is_label(given: str) -> bool:
    """Whether a text is a number of a class, from 0 on."""
    return re.fullmatch(r"[0-9]{1,9}", given) is not None


def words(given: str) -> tuple[str, ...]:
    """A comma list of names."""
    return tuple(part.strip() for part in given.split(","))


def listed(names: Sequence[str], word: str = "or") -> str:
    """Names in words: a, b or c."""
    return f" {word} ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def text(value: Any) -> str:
    """A value as it is typed; numbers so that they are read back exactly."""
    if isinstance(value, tuple):
        return ",".join(map(text, value))
    if isinstance(value, float) and math.isfinite(value):
        in_levels = round(value * 255)
        if in_levels > 0 and in_levels / 255 == value and len(repr(value)) > 8:
            return f"{in_levels}/255"
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    return str(value)


def plain(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, tuple):
        return [plain(part) for part in value]
    return str(value) if isinstance(value, Path) else value
