"""The truly optimal robust hyperplane in d dimensions (erratum G5: it need not be parallel to the standard one)."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from advtool.errors import AdvtoolError
from advtool.theory.norms import dual, nearest_in_ball, norm


@dataclass(frozen=True)
class Hyperplane:
    """A unit normal n and the separation n·Δ − 2ε‖n‖_q that an attack leaves between the class means along it."""

    normal: np.ndarray
    separation: float


def separation(normal: ArrayLike, delta: ArrayLike, eps: float, p: float) -> float:
    """n·Δ − 2ε‖n‖_q for n of any length, per unit of it."""
    normal, delta = np.asarray(normal, float), np.asarray(delta, float)
    length = norm(normal, 2)
    return float(normal @ delta) / length - 2 * eps * norm(normal, dual(p)) / length


def most_robust(delta: ArrayLike, eps: float, p: float) -> Hyperplane:
    """The unit normal that maximises the separation under an ℓ_p attack.

    Outside the ball of radius 2ε it points from the nearest point of the ball to Δ, and the separation is the distance;
    for linf that is n ∝ soft(Δ, 2ε). Inside, the nearest point of the surface takes its place, known for p = 1, 2, ∞.
    """
    delta = np.asarray(delta, float)
    normal = delta - nearest_in_ball(delta, 2 * eps, p)
    distance = norm(normal, 2)
    if distance > 1e-14 * norm(delta, 2):
        return Hyperplane(normal / distance, distance)
    largest = int(np.abs(delta).argmax())
    if p == math.inf:
        normal = np.zeros_like(delta)
        normal[largest] = math.copysign(1, delta[largest])
    elif p == 2:
        normal = delta / norm(delta, 2)
    elif p == 1:
        normal = np.where(delta < 0, -1.0, 1.0) / math.sqrt(len(delta))
    else:
        raise AdvtoolError(
            "the classes touch under this attack; their best hyperplane is known for l1, l2 and linf only"
        )
    return Hyperplane(normal, separation(normal, delta, eps, p))
