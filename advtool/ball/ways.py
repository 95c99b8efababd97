"""Shortest ways to a hyperplane inside a box (Croce and Hein 2020, https://arxiv.org/abs/1907.02044, appendix A)."""

import torch
from torch import Tensor


def at_speed(size: Tensor, room: Tensor, wanted: Tensor, speed: Tensor) -> Tensor:
    """The shortest way, see `Ball.shortest`, where coordinates that are not at the edge move at these speeds, N×D.

    The move is ``min(t·speed, room)``. What it gains is a concave, piecewise linear function of t. So Newton's method,
    started at 0, approaches the solution from below and is there after finitely many steps, few in practice.
    """
    full = torch.where(speed == 0, torch.inf, room / speed)  # the t at which a coordinate reaches the box
    # Newton's method asks after every iteration whether it is done, for which a GPU would be waited for.
    solve = _by_newton if size.device.type == "cpu" else _by_sorting
    t = solve(size, speed, room, full, wanted)[:, None]
    return torch.where((full <= t) | (speed == 0), room, t * speed)


def in_order(size: Tensor, room: Tensor, wanted: Tensor, order: Tensor) -> Tensor:
    """The way on which one coordinate after another, as `order` lists them, N×D, goes as far as it has to."""
    size, room = size.gather(1, order), room.gather(1, order)
    gains = size * room
    left = wanted[:, None] - (gains.cumsum(1) - gains)
    moves = torch.where(size > 0, (left / size).clamp_min(0).minimum(room), 0)
    return torch.zeros_like(moves).scatter(1, order, moves)


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
