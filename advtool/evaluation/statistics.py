"""Counts with their uncertainty."""

import math
import statistics
from collections.abc import Sequence
from typing import Any

_Z95 = 1.959963984540054


def wilson(correct: float, n: float) -> tuple[float, float]:
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


def expected(right: float, squares: float, n: int, calls: int) -> dict[str, Any]:
    """As `accuracy`, of images that count with the share of the calls that get them right.

    The interval is Wilson's for the number of images that would vary as much if each counted whole: these shares vary
    from image to image and, about what they would be after infinitely many calls, from call to call.

    Parameters
    ----------
    right, squares : sums over the images of these shares and of their squares
    calls : of each image
    """
    mean = right / n
    variance = max(squares / n - mean**2, 0.0) * n / max(n - 1, 1)
    alone = mean * (1 - mean)  # the variance if each counted whole
    alike = min(alone / max(variance, alone / calls), calls) if alone > 0 else 1.0
    low, high = wilson(mean * alike * n, alike * n)
    return {"accuracy": mean, "correct": round(right, 6), "n": n, "ci95": [round(low, 6), round(high, 6)]}


def spread(values: Sequence[float]) -> dict[str, float]:
    """Mean and standard deviation (n − 1 in the denominator) of two or more numbers."""
    return {"mean": statistics.fmean(values), "sd": statistics.stdev(values)}
