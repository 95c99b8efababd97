"""Inputs whose representation matches another's: robust and non-robust datasets (Ilyas et al. 2019, section 3.1)."""

from collections.abc import Callable

import torch
from torch import Tensor

from advtool.attacks.success import looks
from advtool.ball import L2
from advtool.datasets.representation import relative_distance
from advtool.errors import AdvtoolError


def distill(
    represent: Callable[[Tensor], Tensor],
    inputs: Tensor,
    starts: Tensor,
    steps: int = 1000,
    step_size: float = 0.1,
    tol: float | None = None,
    drive: Callable[[Tensor], Tensor] | None = None,
    progress: Callable[[int, int, float], None] = lambda steps, running, distance: None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Minimise ‖g(z) − g(x)‖₂ over z in [0, 1]^d by normalised gradient descent, clipping after each step.

    Equation 5 of Ilyas et al. 2019, with the settings of their appendix C.

    Parameters
    ----------
    represent : g, from pixels to N×D
    inputs : x, pixels in [0, 1], N×C×H×W
    starts : where z begins, likewise
    step_size : l2 length of a step, on the [0, 1] pixel scale
    tol : leave an image alone once its relative distance ‖g(z) − g(x)‖ / ‖g(x)‖ is at most this; None never does
    drive : nearly g, but faster, for the steps; distances are those of g
    progress : is called every 16 steps and at the end with the number of steps since, of images that still move, and
        their mean relative distance

    Returns
    -------
    (z of the last step, first and last relative distance: N each)

    Raises
    ------
    AdvtoolError
        if the representation is not finite
    """
    ball, drive = L2(), drive or represent
    with torch.no_grad():
        wanted = represent(inputs)
        first = relative_distance(represent(starts), wanted)
        target = drive(inputs)
    if not (wanted.isfinite().all() and first.isfinite().all()):
        raise AdvtoolError("the model's representation is not finite")
    result, moving = starts.clone(), torch.arange(len(inputs), device=inputs.device)
    z, told = starts, 0
    for step in range(steps):
        z = z.detach().requires_grad_()
        found = drive(z)
        gradient = torch.autograd.grad((found - target).norm(dim=1).sum(), z)[0]
        z, before = (z.detach() - step_size * ball.step(gradient)).clamp(0, 1), z.detach()
        if not looks(step, z.device, early_stop=tol is not None):
            continue
        distance = relative_distance(found.detach(), target)
        if tol is not None:
            done = _settled(represent, before, wanted[moving], distance, tol)
            if len(done):
                result[moving[done]] = before[done]
                going = torch.ones_like(moving, dtype=torch.bool).index_fill(0, done, False)
                z, target, moving, distance = (each[going] for each in (z, target, moving, distance))
                if not len(moving):
                    break
        if looks(step, z.device, early_stop=False):
            progress(step + 1 - told, len(moving), float(distance.mean()))
            told = step + 1
    result[moving] = z.detach()
    with torch.no_grad():
        last = relative_distance(represent(result), wanted)
    progress(steps - told, len(moving), float(last.mean()))
    return result, first, last


@torch.no_grad()
def _settled(represent: Callable[[Tensor], Tensor], z: Tensor, wanted: Tensor, distance: Tensor, tol: float) -> Tensor:
    """The places of the images that are near enough, of those that seem to be."""
    rows = (distance <= tol).nonzero()[:, 0]
    return rows[relative_distance(represent(z[rows]), wanted[rows]) <= tol] if len(rows) else rows
