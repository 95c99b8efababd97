"""Numbers on the command line: one, a list, a sweep, a vector in a file."""

import io
import json
import math
import os

from advtool import bounds
from advtool.errors import AdvtoolError, UsageError
from advtool.io import regular
from advtool.values import number

MOST = 100_000


def sweep(text: str) -> tuple[float, ...]:
    """The values of `3`, `1,2,5` or `2:18:0.5` (both ends included)."""
    parts = text.split(":")
    if len(parts) == 1:
        return numbers(text)
    if len(parts) != 3:
        raise UsageError("a sweep is from:to:step, such as 2:18:0.5", value=text)
    first, last, step = map(number, parts)
    steps = (last - first) / step if step else math.nan
    if not steps >= 0:
        raise UsageError(f"the step does not lead from {first:g} to {last:g}", value=text)
    if steps > MOST:
        raise UsageError(f"more than {MOST:,} values", value=text)
    return tuple(float(f"{first + i * step:.12g}") for i in range(math.floor(steps + 1e-9) + 1))


def whole_sweep(text: str) -> tuple[int, ...]:
    """The same of whole numbers."""
    values = sweep(text)
    for value in values:
        if value != round(value) or abs(value) > 2**53:
            raise UsageError("must be a whole number", value=f"{value:g}")
    return tuple(map(round, values))


SWEEPS = (sweep, whole_sweep)


def numbers(text: str) -> tuple[float, ...]:
    """A comma list of finite numbers."""
    return tuple(map(number, text.split(",")))


def lams(text: str) -> tuple[float, ...]:
    """A comma list of weights λ ≥ 0; inf is one."""
    values = tuple(math.inf if part.strip().lower() == "inf" else number(part) for part in text.split(","))
    if min(values) < 0:
        raise UsageError("must not be negative", value=text)
    return values


def vector(text: str) -> tuple[float, ...]:
    """A comma list, or a file of numbers."""
    if os.path.isfile(text):
        return file_vector(text)
    try:
        return numbers(text)
    except UsageError:
        looks_like_a_file = "," not in text and any(char.isalpha() for char in text.replace("e", "").replace("nan", ""))
        if looks_like_a_file:
            raise UsageError("no such file, and not a number", value=text) from None
        raise


def file_vector(path: str) -> tuple[float, ...]:
    """The numbers in a file: .npy, a JSON list, or text with commas or white space between them."""
    try:
        data = regular.read(path, bounds.JSON_BYTES)
        if path.endswith(".npy"):
            import numpy as np

            values = np.load(io.BytesIO(data), allow_pickle=False).ravel().astype(float).tolist()
        else:
            content = data.decode("utf-8")
            parts = json.loads(content) if content.lstrip().startswith("[") else content.replace(",", " ").split()
            values = [float(part) for part in parts]
    except AdvtoolError as error:
        raise UsageError(str(error).removeprefix(f"{path}: "), value=path) from None
    except Exception:  # of Python, NumPy, and what they make of a header
        raise UsageError("not a file of numbers (text, a JSON list or .npy)", value=path) from None
    if not values or not all(map(math.isfinite, values)):
        raise UsageError("must hold finite numbers", value=path)
    return tuple(values)


def exponent(norm: str) -> float:
    """p of linf, l2, l1 or lP."""
    if norm in ("linf", "l2", "l1"):
        return {"linf": math.inf, "l2": 2.0, "l1": 1.0}[norm]
    try:
        p = number(norm.removeprefix("l"))
    except UsageError:
        p = math.nan
    if not norm.startswith("l") or not 1 <= p < math.inf:
        raise UsageError("must be linf, l2, l1, or lP with a number P from 1 on, such as l3", value=norm)
    return p
