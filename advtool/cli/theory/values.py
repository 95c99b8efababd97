"""Numbers on the command line: one, a list, a sweep, a vector in a file."""

import itertools
import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from advtool.errors import UsageError

_MOST = 100_000


def sweep(text: str | None, option: str, integer: bool = False) -> list | None:
    """The values of `3`, `1,2,5` or `2:18:0.5` (both ends included); None stays None."""
    if text is None:
        return None
    parts = text.split(":")
    if len(parts) == 1:
        values = numbers(text, option)
    elif len(parts) != 3:
        raise UsageError(f"{option} {text}: a sweep is from:to:step, such as 2:18:0.5")
    else:
        first, last, step = (number(part, option) for part in parts)
        steps = (last - first) / step if step else math.nan
        if not steps >= 0:
            raise UsageError(f"{option} {text}: the step does not lead from {first:g} to {last:g}")
        if steps > _MOST:
            raise UsageError(f"{option} {text}: more than {_MOST:,} values")
        values = [float(f"{first + i * step:.12g}") for i in range(math.floor(steps + 1e-9) + 1)]
    if integer:
        for value in values:
            if value != round(value) or abs(value) > 2**53:
                raise UsageError(f"{option} {value:g}: must be a whole number")
        return [round(value) for value in values]
    return values


def number(text: str, option: str) -> float:
    """One finite number, as a decimal or a fraction such as 8/255."""
    from fractions import Fraction

    try:
        value = float(Fraction(text.strip())) if "/" in text else float(text)
    except ZeroDivisionError:
        raise UsageError(f"{option} {text}: division by zero") from None
    except (ValueError, OverflowError):
        raise UsageError(f"{option} {text}: '{text.strip()}' is not a number") from None
    if not math.isfinite(value):
        raise UsageError(f"{option} {text}: must be finite")
    return value


def numbers(text: str, option: str) -> list[float]:
    """A comma list of finite numbers."""
    return [number(part, option) for part in text.split(",")]


def lams(text: str) -> list[float]:
    """A comma list of weights λ ≥ 0; inf is one."""
    values = [math.inf if part.strip().lower() == "inf" else number(part, "--lam") for part in text.split(",")]
    if min(values) < 0:
        raise UsageError(f"--lam {text}: must not be negative")
    return values


def vector(text: str | None, option: str, dim: int | None = None) -> list[float] | None:
    """A comma list, or a file of numbers (text, JSON list or .npy); with `dim`, one number is repeated so often."""
    if text is None:
        return None
    values = file_vector(text, option) if os.path.isfile(text) else _listed(text, option)
    if dim is not None:
        if len(values) != 1:
            raise UsageError(f"{option} {text[:40]}: --dim repeats one number, and here are {len(values)}")
        values = values * dim
    return values


def _listed(text: str, option: str) -> list[float]:
    try:
        return numbers(text, option)
    except UsageError as error:
        looks_like_a_file = "," not in text and any(char.isalpha() for char in text.replace("e", "").replace("nan", ""))
        raise UsageError(f"{option} {text}: no such file, and not a number") from None if looks_like_a_file else error


def file_vector(path: str, option: str) -> list[float]:
    """The numbers in a file: .npy, a JSON list, or text with commas or white space between them."""
    try:
        if path.endswith(".npy"):
            import numpy as np

            values = np.load(path, allow_pickle=False).ravel().astype(float).tolist()
        else:
            content = Path(path).read_text()
            if content.lstrip().startswith("["):
                values = [float(value) for value in json.loads(content)]
            else:
                values = [float(part) for part in content.replace(",", " ").split()]
    except OSError as error:
        raise UsageError(f"{option} {path}: cannot read ({error.strerror})") from None
    except (ValueError, TypeError):
        raise UsageError(f"{option} {path}: not a file of numbers (text, a JSON list or .npy)") from None
    if not values or not all(map(math.isfinite, values)):
        raise UsageError(f"{option} {path}: must hold finite numbers")
    return values


def exponent(norm: str) -> float:
    """p of linf, l2, l1 or lP."""
    if norm in ("linf", "l2", "l1"):
        return {"linf": math.inf, "l2": 2.0, "l1": 1.0}[norm]
    try:
        p = float(norm.removeprefix("l"))
    except ValueError:
        p = math.nan
    if not norm.startswith("l") or not 1 <= p < math.inf:
        raise UsageError(f"unknown --norm '{norm}': linf, l2, l1, or lP with a number P from 1 on, such as l3")
    return p


def grid(swept: Mapping[str, Sequence | None], **fixed) -> Iterator[dict]:
    """Every combination of the swept values, with the fixed ones; options that are None are left to their defaults."""
    given = {name: values for name, values in swept.items() if values is not None}
    fixed = {name: value for name, value in fixed.items() if value is not None}
    count = math.prod(len(values) for values in given.values())
    if count > _MOST:
        raise UsageError(f"the sweeps combine to {count:,} settings; {_MOST:,} is the limit")
    for combination in itertools.product(*given.values()):
        yield {**dict(zip(given, combination, strict=True)), **fixed}
