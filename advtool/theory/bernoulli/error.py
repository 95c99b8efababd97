"""The exact error of a linear classifier, with or without an attack."""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betainc, gammaln, log_ndtr, logsumexp

from advtool.errors import UsageError
from advtool.theory.bernoulli.lattice import Terms, lattice_tails

_TIE = 1e-12
_DP_WORK = 4e8  # additions for exact integer weights
_BRACKET_WORK = 1e8
_ENUMERATE, _MEET = 22, 40


@dataclass(frozen=True)
class Error:
    """log of the error, rigorous bounds on it (equal to it where it is exact), and how it was found.

    `method`: ``binomial``, ``lattice`` (dynamic programming over integer weights), ``enumeration``, ``meet in the
    middle``, all exact; ``bracket`` (weights rounded to a lattice; log_error is the middle); ``clt`` (approximate; no
    bounds).
    """

    log_error: float
    log_low: float | None
    log_high: float | None
    method: str


def check_tau(tau: ArrayLike) -> np.ndarray:
    """τ as an array, each from 0 to ½."""
    tau = np.atleast_1d(np.asarray(tau, float))
    if tau.size == 0 or not np.all((tau >= 0) & (tau <= 0.5)):
        raise UsageError("each value must be a number from 0 to 0.5", parameter="tau")
    return tau


def linear_error(weights: ArrayLike, tau: ArrayLike, eps: float = 0.0) -> Error:
    """P(Σ u_j s_j ≤ ε‖u‖₁): a tie is an error, and so is a classifier that is 0.

    Parameters
    ----------
    weights : u_j = w_j θ_j, shape d or one number for all
    tau : shape d
    eps : linf radius of the attack
    """
    tau = check_tau(tau)
    u = np.broadcast_to(np.asarray(weights, float), tau.shape)
    if not np.all(np.isfinite(u)):
        raise UsageError("must be finite numbers", parameter="weights")
    used = u != 0
    a, flip = np.abs(u[used]), 0.5 - np.where(u > 0, tau, -tau)[used]
    if a.size == 0:
        return _exact(0.0, "enumeration")
    a = a / a.max()
    # s_j = 1 − 2b_j with b_j = 1 where the feature is against us: the error is Σ a_j b_j ≥ (1 − ε)‖a‖₁/2
    total = float(a.sum())
    needed = (1 - eps) * total / 2 - _TIE * total - float(a[flip == 1].sum())
    a, flip = a[(flip > 0) & (flip < 1)], flip[(flip > 0) & (flip < 1)]
    if needed <= 0:
        return _exact(0.0, "enumeration")
    if float(a.sum()) < needed:
        return _exact(-math.inf, "enumeration")
    return _log_tail(a, flip, needed)


def _exact(log_error: float, method: str) -> Error:
    log_error = min(float(log_error), 0.0)
    return Error(log_error, log_error, log_error, method)


def _log_tail(a: np.ndarray, flip: np.ndarray, needed: float) -> Error:
    """P(Σ a_j b_j ≥ needed), b_j = 1 with probability flip_j."""
    d = len(a)
    if np.ptp(a) <= 1e-12 * a[0] and np.ptp(flip) == 0:
        return _exact(_binomial(d, float(flip[0]), needed / a[0]), "binomial")
    terms = Terms.of(a, flip)
    integers = _as_integers(terms.weights, terms.counts)
    if integers is not None:
        step = float(a.sum()) / float(integers @ terms.counts)
        return _exact(lattice_tails(replace(terms, weights=integers), math.ceil(needed / step))[0], "lattice")
    if d <= _ENUMERATE:
        sums, logs = _outcomes(a, flip)
        return _exact(logsumexp(logs[sums >= needed]), "enumeration")
    if d <= _MEET:
        return _exact(_meet_in_the_middle(a, flip, needed), "meet in the middle")
    steps = int(_BRACKET_WORK / d)
    if steps >= 20 * d:
        return _bracket(a, flip, needed, steps)
    mean, sd = float(a @ flip), math.sqrt(float((a * a) @ (flip * (1 - flip))))
    return Error(float(log_ndtr((mean - needed) / sd)), None, None, "clt")


def _binomial(d: int, q: float, needed: float) -> float:
    """log P(Bin(d, q) ≥ needed)."""
    k = math.ceil(needed)
    value = float(betainc(k, d - k + 1, q))
    if value > 1e-290:
        return math.log(value)
    j = np.arange(k, d + 1)
    return float(
        logsumexp(gammaln(d + 1) - gammaln(j + 1) - gammaln(d - j + 1) + j * math.log(q) + (d - j) * math.log1p(-q))
    )


def _as_integers(a: np.ndarray, counts: np.ndarray) -> np.ndarray | None:
    """Integers proportional to `a`, if there are some that are small enough for a table."""
    if float(a @ counts) * len(a) > _DP_WORK * float(a.min()):
        return None
    relative = a / a.min()
    for multiple in range(1, 1001):
        scaled = relative * multiple
        if scaled @ counts * len(a) > _DP_WORK:
            return None
        if np.all(np.abs(scaled - np.round(scaled)) <= 1e-11 * scaled):
            return np.round(scaled).astype(np.int64)
    return None


def _outcomes(a: np.ndarray, flip: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All 2^d values of Σ a_j b_j, and the logs of their probabilities."""
    sums, logs = np.zeros(1), np.zeros(1)
    for weight, p in zip(a, flip, strict=True):
        sums = np.concatenate([sums, sums + weight])
        logs = np.concatenate([logs + math.log1p(-p), logs + math.log(p)])
    return sums, logs


def _meet_in_the_middle(a: np.ndarray, flip: np.ndarray, needed: float) -> float:
    half = len(a) // 2
    left, left_logs = _outcomes(a[:half], flip[:half])
    right, right_logs = _outcomes(a[half:], flip[half:])
    order = np.argsort(right)
    right, right_logs = right[order], right_logs[order]
    at_least = np.append(np.logaddexp.accumulate(right_logs[::-1])[::-1], -np.inf)
    return float(logsumexp(left_logs + at_least[np.searchsorted(right, needed - left)]))


def _bracket(a: np.ndarray, flip: np.ndarray, needed: float, steps: int) -> Error:
    """Weights rounded to the lattice: their sum is off by at most half a step per feature."""
    step = float(a.sum()) / steps
    rounded = np.round(a / step).astype(np.int64)
    kept = rounded > 0
    off = 0.5 * len(a)
    edges = max(math.ceil(needed / step - off), 0), math.ceil(needed / step + off)
    high, low = lattice_tails(Terms.of(rounded[kept], flip[kept]), *edges)
    return Error(float(np.logaddexp(low, high)) - math.log(2), low, high, "bracket")
