"""The nearest point of a hyperplane inside the box [0, 1]ᴰ (Croce and Hein 2020, section 2.3 and appendix A)."""

import torch
from torch import Tensor

from advtool.ball import Ball


def to_hyperplane(points: Tensor, normals: Tensor, gaps: Tensor, ball: Ball) -> Tensor:
    """The smallest moves that take points of the box onto hyperplanes without leaving the box, exactly.

    The move of point z is ``sign(w)·min(t·a, room)`` where `room` is how far each coordinate can go and `a` its speed:
    1 (linf) or |w| (l2). What it gains, ``w·move``, is a concave, piecewise linear function of t. So Newton's method,
    started at 0, approaches the solution from below and is there after finitely many steps, few in practice.

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
    speed = ball.speed(size) * direction.abs()
    full = torch.where(direction == 0, torch.inf, room / speed)  # the t at which a coordinate reaches the box
    # Newton's method asks after every iteration whether it is done, for which a GPU would be waited for.
    solve = _by_newton if points.device.type == "cpu" else _by_sorting
    t = solve(size, speed, room, full, wanted)
    return direction * torch.where((full <= t[:, None]) | (direction == 0), room, t[:, None] * speed)


def _by_newton(size: Tensor, speed: Tensor, room: Tensor, full: Tensor, wanted: Tensor) -> Tensor:
    """The t at which enough is gained, N; infinite where it never is."""
    t, saturated = torch.zeros_like(wanted), torch.zeros_like(size, dtype=torch.bool)
    for _ in range(size.shape[1] + 1):
        gained = torch.where(saturated, size * room, 0).sum(1)
        slope = torch.where(saturated, 0, size * speed).sum(1)
        t = torch.maximum(t, torch.where(slope > 0, (wanted - gained) / slope, torch.inf))
        before, saturated = saturated, full <= t[:, None]
        if torch.equal(before, saturated):
            break
    return t


def _by_sorting(size: Tensor, speed: Tensor, room: Tensor, full: Tensor, wanted: Tensor) -> Tensor:
    """As `_by_newton`, by going through the coordinates in the order in which they reach the box."""
    full, order = full.sort(1)
    gains, slopes = (size * room).gather(1, order), (size * speed).gather(1, order)
    before = gains.cumsum(1) - gains  # of the coordinates that reach it earlier
    slope = slopes.flip(1).cumsum(1).flip(1)  # of the others
    moving = slope > 0
    gained = torch.where(moving, before + full * slope, torch.inf)
    index = (gained < wanted[:, None]).sum(1, keepdim=True)
    last = index.clamp_max(size.shape[1] - 1)
    t = (wanted - before.gather(1, last)[:, 0]) / slope.gather(1, last)[:, 0]
    return torch.where(moving.gather(1, last)[:, 0] & (index == last)[:, 0], t.clamp_min(0), torch.inf)
