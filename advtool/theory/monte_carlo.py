"""Sampling every printed probability, with intervals that an honest run passes."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import betaincinv, ndtri

FALSE_ALARM = 1e-6  # of a whole run: it is shared out among the claims
RARE = 20  # expected hits below which plain sampling says nothing
CHUNK = 2**18

Draw = Callable[[np.random.Generator, int], np.ndarray]
"""Draws n numbers."""


@dataclass(frozen=True)
class Claim:
    """A printed number and how to sample it.

    Attributes
    ----------
    name : dotted path in the report
    value, log_value : what the report says
    hits : draws n outcomes; booleans, or numbers if the claim is an expectation
    weights : draws n importance weights whose mean is 1 if the value is right, for probabilities too small for `hits`
    relation : ``==`` exact, ``<=`` or ``>=``: the truth is at most or at least the value (a bound)
    """

    name: str
    value: float
    log_value: float
    hits: Draw
    weights: Draw | None = None
    relation: str = "=="
    is_mean: bool = False


def clopper_pearson(hits: int, n: int, error: float = 0.05) -> tuple[float, float]:
    """The exact interval of a proportion, wrong with at most this probability (Clopper & Pearson 1934)."""
    low = 0.0 if hits == 0 else float(betaincinv(hits, n - hits + 1, error / 2))
    high = 1.0 if hits == n else float(betaincinv(hits + 1, n - hits, 1 - error / 2))
    return low, high


def check(claims: Sequence[Claim], n: int, seed: int, total: int | None = None) -> list[dict]:
    """Sample each claim `n` times.

    `total` is the number of claims of the whole run, among which the false-alarm rate of 1e-6 is shared (Bonferroni).

    Returns one record per claim: name, value, relation, method (``sampling``, ``importance`` or ``none``), estimate,
    interval, n and agrees (None if the probability is too small to be sampled).
    """
    error = FALSE_ALARM / max(total or len(claims), 1)
    streams = np.random.SeedSequence(seed).spawn(len(claims))
    return [_check(claim, n, np.random.default_rng(s), error) for claim, s in zip(claims, streams, strict=True)]


def _check(claim: Claim, n: int, rng: np.random.Generator, error: float) -> dict:
    record = {"name": claim.name, "value": claim.value, "relation": claim.relation, "n": n}
    if not claim.is_mean and claim.relation == "==" and n * claim.value < RARE and claim.log_value > -math.inf:
        if claim.weights is None:
            return {**record, "method": "none", "estimate": None, "interval": None, "agrees": None}
        ratio, low, high = _mean(_chunks(claim.weights, rng, n), n, error)
        interval = [low * claim.value, high * claim.value]
        agrees, estimate = low <= 1 <= high, ratio * claim.value
        return {**record, "method": "importance", "estimate": estimate, "interval": interval, "agrees": agrees}
    if claim.is_mean:
        estimate, low, high = _mean(_chunks(claim.hits, rng, n), n, error)
    else:
        hits = sum(int(np.count_nonzero(part)) for part in _chunks(claim.hits, rng, n))
        estimate, (low, high) = hits / n, clopper_pearson(hits, n, error)
    slack = 1e-12 * abs(claim.value)
    below, above = low <= claim.value + slack, claim.value - slack <= high
    agrees = {"==": below and above, "<=": below, ">=": above}[claim.relation]
    return {**record, "method": "sampling", "estimate": estimate, "interval": [low, high], "agrees": agrees}


def _chunks(draw: Draw, rng: np.random.Generator, n: int) -> Iterator[np.ndarray]:
    for start in range(0, n, CHUNK):
        yield draw(rng, min(CHUNK, n - start))


def _mean(parts: Iterator[np.ndarray], n: int, error: float) -> tuple[float, float, float]:
    """Mean of n draws with its normal interval."""
    draws = np.concatenate(list(parts))
    mean = float(draws.mean())
    half = -float(ndtri(error / 2)) * float(draws.std(ddof=1)) / math.sqrt(n)
    return mean, mean - half, mean + half


def normal_tail(log_value: float, *thresholds: float) -> Draw:
    """Importance weights whose mean is mean_i Q(t_i) / e^log_value.

    One term is drawn at random; its normal variable is drawn around its threshold, where the mass of the tail is.
    """
    edges = np.asarray(thresholds, float)
    t = np.maximum(edges, 0.0)

    def draw(rng: np.random.Generator, n: int) -> np.ndarray:
        term = rng.integers(len(t), size=n)
        z = t[term] + rng.standard_normal(n)
        log_weight = -z * t[term] + t[term] ** 2 / 2 - log_value
        return np.where(z > edges[term], np.exp(log_weight), 0.0)

    return draw
