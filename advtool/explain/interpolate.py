"""The straight line between two images (Tsipras et al. 2018, figure 4)."""

import torch
from torch import Tensor

POINTS = 20


def interpolate(start: Tensor, end: Tensor, points: int = POINTS) -> Tensor:
    """Images on the way from `start` to `end`, both N×C×H×W, ends included: points×N×C×H×W."""
    if points < 2:
        raise ValueError("an interpolation has at least 2 points")
    t = torch.linspace(0, 1, points, device=start.device, dtype=start.dtype).view(-1, *[1] * start.dim())
    return torch.lerp(start[None], end[None], t)


def first_change(predictions: Tensor) -> list[float | None]:
    """Where on the way, from 0 to 1, the prediction first differs from that at the start; None where it never does.

    Parameters
    ----------
    predictions : points×N
    """
    places = []
    for column in predictions.T:
        changed = (column != column[0]).nonzero()
        places.append(int(changed[0]) / (len(predictions) - 1) if len(changed) else None)
    return places
