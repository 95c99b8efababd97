"""The thresholds with the smallest standard and the smallest adversarial error."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import log_ndtr

from advtool.errors import AdvtoolError, UsageError
from advtool.theory.tails import log_mean

NOISE_KINDS = ("sd", "variance", "covariance")
_RANGE = 1e100


class NoMinimiser(AdvtoolError):
    """The error falls for ever as the threshold moves away."""


@dataclass(frozen=True)
class TwoGaussians:
    """N(0, sigma1²) and N(distance, sigma2²) in equal parts. A distance ≤ 0 is allowed for shifted classes.

    Raises
    ------
    UsageError
        for values that are not finite, widths that are not positive, or scales more than 1e100 apart
    """

    distance: float
    sigma1: float
    sigma2: float

    def __post_init__(self) -> None:
        for name in ("distance", "sigma1", "sigma2"):
            if not math.isfinite(getattr(self, name)):
                raise UsageError("must be a finite number", parameter=name)
        for name in ("sigma1", "sigma2"):
            if getattr(self, name) <= 0:
                raise UsageError("must be positive", parameter=name, value=f"{getattr(self, name):g}")
        if min(self.sigma1, self.sigma2) * _RANGE < self.scale:
            raise UsageError("sigma1, sigma2 and the distance are more than 1e100 times apart")

    @property
    def scale(self) -> float:
        return max(abs(self.distance), self.sigma1, self.sigma2)

    @property
    def mirrored(self) -> "TwoGaussians":
        return TwoGaussians(self.distance, self.sigma2, self.sigma1)


def log_error(model: TwoGaussians, w: ArrayLike, shift: float = 0.0) -> np.ndarray:
    """log β̃(w) = log ½[Q((w − shift)/σ1) + Q((h − w − shift)/σ2)] (App. A.1); shift = 0 gives log β(w)."""
    w = np.asarray(w, float)
    right = log_ndtr((shift - w) / model.sigma1)
    return log_mean(right, log_ndtr((w - model.distance + shift) / model.sigma2))


def threshold(model: TwoGaussians, shift: float = 0.0, noise: float = 0.0, kind: str = "sd") -> float:
    """The w that minimises the error when each class is moved by `shift` towards the other.

    shift = 0 is w* and shift = ε_p is w̃* (App. A.2), written so that nothing cancels. `noise` is added in training to
    the standard deviations (``sd``), to them in squares (``variance``: noise²; ``covariance``: noise).

    Raises
    ------
    NoMinimiser
        for equal widths whose shifted means have met or passed each other: the error is at least ½ everywhere
    """
    scale = _power_of_two(max(model.scale, abs(shift), math.sqrt(noise) if kind == "covariance" else noise))
    unit = scale**2 if kind == "covariance" else scale
    widths = _widen(model.sigma1 / scale, model.sigma2 / scale, noise / unit, kind)
    separation = model.distance / scale - 2 * (shift / scale)
    return scale * (shift / scale + _minimiser(separation, *widths))


def other_stationary_point(model: TwoGaussians, shift: float = 0.0) -> float:
    """The local maximum of the error, at infinity for equal widths. Its digits suffer where the widths nearly agree."""
    scale = _power_of_two(max(model.scale, abs(shift)))
    s1, s2, ratio, log_ratio = _widen(model.sigma1 / scale, model.sigma2 / scale, 0.0, "sd")
    m = model.distance / scale - 2 * (shift / scale)
    if s1 == s2:
        return -math.inf
    if s1 > s2:
        return model.distance - other_stationary_point(model.mirrored, shift)
    k = s1 / s2
    root = math.hypot(m, s2 * math.sqrt(2 * ratio * log_ratio))
    return scale * (shift / scale - k * (k * m + root) / ratio)


def _power_of_two(size: float) -> float:
    """The largest one that is at most `size`: dividing by it rounds nothing."""
    return math.ldexp(0.5, math.frexp(size)[1])


def _widen(sigma1: float, sigma2: float, noise: float, kind: str) -> tuple[float, float, float, float]:
    """Widths in training, (s2² − s1²)/s2² and log(s2/s1), the last two without cancellation."""
    if kind == "sd":
        s1, s2 = sigma1 + noise, sigma2 + noise
        return s1, s2, (sigma2 - sigma1) / s2 * ((s1 + s2) / s2), math.log1p((sigma2 - sigma1) / s1)
    added = noise**2 if kind == "variance" else noise
    s1, s2 = math.sqrt(sigma1**2 + added), math.sqrt(sigma2**2 + added)
    difference = (sigma2 - sigma1) * (sigma2 + sigma1)
    return s1, s2, difference / s2 / s2, math.log1p(difference / s1 / s1) / 2


def _minimiser(m: float, s1: float, s2: float, ratio: float, log_ratio: float) -> float:
    if m < 0 and ratio < 0:
        return m - _minimiser(m, s2, s1, -ratio * (s2 / s1) ** 2, -log_ratio)
    k, root = s1 / s2, math.hypot(m, s2 * math.sqrt(max(2 * ratio * log_ratio, 0.0)))
    if m <= 0 and ratio == 0:
        raise NoMinimiser("no minimiser: with equal widths the robust error is at least 1/2 everywhere")
    if m >= 0:
        return k * (m * m + 2 * s2 * s2 * log_ratio) / (k * m + root)
    return k * (root - k * m) / ratio
