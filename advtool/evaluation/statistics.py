"""Counts with their uncertainty."""

import math
import statistics
from collections.abc import Sequence
from typing import Any

_Z95 = 1.959963984540054


def wilson(correct: int, n: int) -> tuple[float, float]:
    """The 95% Wilson score interval of a proportion (Wilson 1927); n = 0 gives (0, 1)."""
    if n == 0:
        return 0.0, 1.0
    p, z2 = correct / n, _Z95**2
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z95 * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return max(0.0, centre - half), min(1.0, centre + half)


def accuracy(correct: int, n: int) -> dict[str, Any]:
    """Accuracy as reports give it: fraction, count, and interval."""
    return {
        "accuracy": correct / n,
        "correct": correct,
        "n": n,
        "ci95": [round(x, 6) for x in wilson(correct, n)],
    }


def spread(values: Sequence[float]) -> dict[str, float]:
    """Mean and standard deviation (n − 1 in the denominator) of two or more numbers."""
    return {"mean": statistics.fmean(values), "sd": statistics.stdev(values)}
