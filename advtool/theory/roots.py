"""Where a function changes sign. (scipy.optimize would double the time the command takes to start.)"""

import math
from collections.abc import Callable


def bisect(f: Callable[[float], float], low: float, high: float) -> float:
    """The point of [low, high] where `f` changes sign, to the last digit; f(low) and f(high) differ in sign."""
    rising = f(low) < 0 or f(high) > 0
    while True:
        middle = low + (high - low) / 2
        if not low < middle < high:
            return middle
        value = f(middle)
        if value == 0:
            return middle
        if (value < 0) == rising:
            low = middle
        else:
            high = middle


def bisect_log(f: Callable[[float], float], low: float, high: float) -> float:
    """Like `bisect` for 0 < low < high that may be orders of magnitude apart."""
    return math.exp(bisect(lambda t: f(math.exp(t)), math.log(low), math.log(high)))
