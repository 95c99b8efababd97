"""Inputs whose representation matches another's: robust and non-robust datasets (Ilyas et al. 2019, section 3.1)."""

from collections.abc import Callable

import torch
from torch import Tensor

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
    amp: bool = False,
    progress: Callable[[int, float], None] = lambda running, distance: None,
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
    amp : bfloat16 in the steps; the distances returned are float32's
    progress : is called after each step with the number of images that still move and their mean relative distance

    Returns
    -------
    (z of the last step, first and last relative distance: N each)

    Raises
    ------
    AdvtoolError
        if the representation is not finite
    """
    ball = L2()
    with torch.no_grad():
        wanted = represent(inputs)
        first = relative_distance(represent(starts), wanted)
    if not (wanted.isfinite().all() and first.isfinite().all()):
        raise AdvtoolError("the model's representation is not finite")
    result, moving = starts.clone(), torch.arange(len(inputs), device=inputs.device)
    z, target = starts, wanted
    for _ in range(steps):
        z = z.detach().requires_grad_()
        with torch.autocast(z.device.type, torch.bfloat16, enabled=amp):
            found = represent(z)
        gradient = torch.autograd.grad((found - target).norm(dim=1).sum(), z)[0]
        distance = relative_distance(found.detach(), target)
        if tol is not None and (done := distance <= tol).any():
            result[moving[done]] = z.detach()[done]
            z, gradient, target, moving = z[~done], gradient[~done], target[~done], moving[~done]
            distance = distance[~done]
            if not len(moving):
                break
        z = (z.detach() - step_size * ball.step(gradient)).clamp(0, 1)
        progress(len(moving), float(distance.mean()))
    result[moving] = z.detach()
    with torch.no_grad():
        return result, first, relative_distance(represent(result), wanted)
