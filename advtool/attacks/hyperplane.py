"""The nearest point of a hyperplane inside the box [0, 1]ᴰ (Croce and Hein 2020, section 2.3 and appendix A)."""

import torch
from torch import Tensor

from advtool.ball import Ball


def to_hyperplane(points: Tensor, normals: Tensor, gaps: Tensor, ball: Ball) -> Tensor:
    """The smallest moves that take points of the box onto hyperplanes without leaving the box, exactly.

    Parameters
    ----------
    points : N×D, in [0, 1]
    normals : N×D, the normals w
    gaps : N, how much ``w·z`` has to grow: the hyperplane of point z is {y : w·y = w·z + gap}
    ball : in whose norm the moves are small, whatever its radius

    Returns
    -------
    N×D moves. Where the hyperplane misses the box, the move to the corner of the box nearest to it; where the normal is
    0, no move
    """
    scale = normals.abs().amax(1).clamp_min(torch.finfo(normals.dtype).tiny)
    direction = torch.where(gaps < 0, -1, 1)[:, None] * normals.sign()
    size, wanted = normals.abs() / scale[:, None], gaps.abs() / scale
    room = torch.where(direction > 0, 1 - points, points) * direction.abs()
    return direction * ball.shortest(size, room, wanted)
