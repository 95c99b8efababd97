"""Data-randomised training: the noise that does what a given training does."""

import math

from advtool.errors import AdvtoolError
from advtool.theory.gaussian.decision import TwoGaussians, threshold
from advtool.theory.roots import bisect_log


class NotReachable(AdvtoolError):
    """No noise puts the hyperplane there."""


def noise_for(model: TwoGaussians, target: float, kind: str = "sd") -> float:
    """The noise δσ whose training puts the threshold at `target`; the threshold moves one way as the noise grows.

    Raises
    ------
    NotReachable
        if the target lies on the other side of w*, or past the limit h/2 + (σ2² − σ1²)/(2h) that the threshold has when
        variances are added (erratum G4; when standard deviations are added it goes to infinity)
    """
    start, direction = threshold(model), math.copysign(1, model.sigma2 - model.sigma1)

    def short(noise: float) -> float:
        return (threshold(model, noise=noise, kind=kind) - target) * direction

    if abs(start - target) <= 1e-14 * model.scale:
        return 0.0
    if model.sigma1 == model.sigma2 or short(0.0) > 0:
        raise NotReachable(f"target {target:.6g} not reachable: noise moves the threshold away from it")
    low = high = model.scale * 1e-30
    while short(high) < 0:
        low, high = high, high * 2
        if high > 1e60 * model.scale:
            raise NotReachable(f"target {target:.6g} not reachable: the threshold tends to {limit(model, kind):.6g}")
    return high if low == high else bisect_log(short, low, high)


def limit(model: TwoGaussians, kind: str) -> float:
    """Where the threshold goes as the noise grows without end (erratum G4: not the midpoint)."""
    if model.sigma1 == model.sigma2:
        return model.distance / 2
    if kind == "sd":
        return math.copysign(math.inf, model.sigma2 - model.sigma1)
    difference = (model.sigma2 - model.sigma1) * (model.sigma2 + model.sigma1)
    return model.distance / 2 + difference / (2 * model.distance)
