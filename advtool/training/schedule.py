"""Learning-rate schedules as functions of training progress, so that a resumed run needs no schedule state."""

import math
from collections.abc import Sequence

WARM_UP = 0.3
START_FACTOR, END_FACTOR = 1 / 25, 1 / 250_000


def factor(schedule: str, step: int, total: int, drops: Sequence[float] = (), drop_factor: float = 0.1) -> float:
    """What the peak learning rate is multiplied by at optimiser step `step` of `total`.

    Parameters
    ----------
    schedule : ``constant``; ``triangle``, linearly from 0 to 1 over the first half and back to 0 (the cyclic rate of
        Wong et al. 2020); ``step``, times `drop_factor` at each of `drops`; ``cosine`` from 1 to 0; or
        ``one-cycle`` (Smith and Topin 2017): cosine from 1/25 to 1 over the first 30%, then to 1/250,000,
        as torch's OneCycleLR
    drops : fractions of the training at which the rate drops
    """
    if schedule == "constant":
        return 1.0
    if schedule == "step":
        return drop_factor ** sum(step >= round(drop * total) for drop in drops)
    if schedule == "triangle":
        return 1 - abs(2 * step / total - 1)
    if schedule == "cosine":
        return _cosine(1.0, 0.0, step / total)
    if schedule != "one-cycle":
        raise ValueError(f"there is no schedule {schedule}")
    peak, last = max(WARM_UP * total - 1, 0), total - 1
    if step < peak:
        return _cosine(START_FACTOR, 1.0, step / peak)
    return _cosine(1.0, END_FACTOR, (step - peak) / (last - peak) if last > peak else 0.0)


def _cosine(start: float, end: float, progress: float) -> float:
    return end + (start - end) / 2 * (1 + math.cos(math.pi * progress))
