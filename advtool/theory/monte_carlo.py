"""Sampling every printed probability, with intervals that an honest run passes."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import betaincinv, ndtri

FALSE_ALARM = 1e-6  # of a whole run: it is shared out among the claims
RARE = 20  # expected hits below which plain sampling says nothing
CHUNK = 2**18


@dataclass(frozen=True)
class Claim:
    """A printed number and how to sample it.

    Attributes
    ----------
    name : dotted path in the report
    value, log_value : what the report says
    hits : draws n outcomes; booleans, or numbers if the claim is an expectation
    weights : draws n importance weights with this mean, for probabilities too small for `hits`
    relation : ``==`` exact, ``<=`` or ``>=``: the truth is at most or at least the value (a bound)
    """

    name: str
    value: float
    log_value: float
    hits: Callable[[np.random.Generator, int], np.ndarray]
    weights: Callable[[np.random.Generator, int], np.ndarray] | None = None
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

    Returns one record a claim: name, value, relation, method (``sampling``, ``importance`` or ``none``), estimate,
    interval, n and agrees (None if the probability is too small to be sampled).
    """
    error = FALSE_ALARM / max(total or len(claims), 1)
    streams = np.random.SeedSequence(seed).spawn(len(claims))
    return [_check(claim, n, np.random.default_rng(s), error) for claim, s in zip(claims, streams, strict=True)]


def _check(claim: Claim, n: int, rng: np.random.Generator, error: float) -> dict:
    rare = not claim.is_mean and 0 < n * min(claim.value, 1.0) < RARE and claim.relation == "=="
    underflows = claim.value == 0 and claim.log_value > -math.inf
    record = {"name": claim.name, "value": claim.value, "relation": claim.relation, "n": n}
    if (rare or underflows) and claim.weights is None:
        return {**record, "method": "none", "estimate": None, "interval": None, "agrees": None}
    if rare or underflows or claim.is_mean:
        draw = claim.weights if not claim.is_mean else claim.hits
        estimate, low, high = _mean(_chunks(draw, rng, n), n, error)
        method = "sampling" if claim.is_mean else "importance"
    else:
        hits = sum(int(np.count_nonzero(part)) for part in _chunks(claim.hits, rng, n))
        estimate, (low, high), method = hits / n, clopper_pearson(hits, n, error), "sampling"
    if underflows:  # the weights are relative to the value
        agrees, estimate, low, high = low <= 1 <= high, 0.0, 0.0, 0.0
    else:
        slack = 1e-12 * abs(claim.value)
        below, above = low <= claim.value + slack, claim.value - slack <= high
        agrees = {"==": below and above, "<=": below, ">=": above}[claim.relation]
    return {**record, "method": method, "estimate": estimate, "interval": [low, high], "agrees": bool(agrees)}


def _chunks(draw, rng: np.random.Generator, n: int) -> Iterator[np.ndarray]:
    for start in range(0, n, CHUNK):
        yield draw(rng, min(CHUNK, n - start))


def _mean(parts: Iterator[np.ndarray], n: int, error: float) -> tuple[float, float, float]:
    """Mean of n draws with its normal interval."""
    draws = np.concatenate(list(parts))
    mean = float(draws.mean())
    half = -float(ndtri(error / 2)) * float(draws.std(ddof=1)) / math.sqrt(n)
    return mean, mean - half, mean + half


def normal_tail(log_scale: float, *thresholds: float) -> Callable[[np.random.Generator, int], np.ndarray]:
    """Importance weights whose mean is mean_i Q(t_i) · e^(−log_scale).

    One term is drawn at random; its normal variable is drawn around its threshold, where the mass of the tail is.
    """
    t = np.maximum(np.asarray(thresholds, float), 0.0)

    def draw(rng: np.random.Generator, n: int) -> np.ndarray:
        term = rng.integers(len(t), size=n)
        z = t[term] + rng.standard_normal(n)
        log_weight = -z * t[term] + t[term] ** 2 / 2 - log_scale
        return np.where(z > np.asarray(thresholds)[term], np.exp(log_weight), 0.0)

    return draw
