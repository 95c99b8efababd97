"""What votes say of a probability while they come in: evidence that may be looked at after each of them.

Under the hypothesis that the probability is at most p₀ the ratio of the likelihoods of any larger p and p₀ is a
supermartingale, and so is a mixture of such ratios. That it ever exceeds 1/α has a probability of at most α (Ville
1939), so one may stop when one likes (Robbins 1970; Howard et al. 2021, https://arxiv.org/abs/1810.08240). The mixture
is a Beta distribution cut off at p₀, which has a closed form.
"""

import math

from scipy.special import betainc, betaln

_SHAPE = 0.5
"""Of the mixture on either side: half a hit and half a miss (Krichevsky and Trofimov 1981), which is near both ends."""

_ROUNDING = 1e-6
"""By how much the logarithm of the evidence may be off: it is a sum of numbers of up to 10⁷."""


def log_evidence(hits: int, misses: int, rest: float) -> float:
    """Logarithm of the evidence that a probability is above p₀, which nothing makes exceed log 1/α but a chance of α.

    Parameters
    ----------
    hits, misses : so far
    rest : 1 − p₀, in (0, 1); given instead of p₀, which may be 1 up to rounding
    """
    inside = _log(float(betainc(_SHAPE + misses, _SHAPE + hits, rest)))
    before = _log(float(betainc(_SHAPE, _SHAPE, rest)))
    mixture = float(betaln(_SHAPE + misses, _SHAPE + hits)) + inside - float(betaln(_SHAPE, _SHAPE)) - before
    return mixture - hits * math.log1p(-rest) - misses * math.log(rest) - _ROUNDING


def is_above(hits: int, misses: int, rest: float, alpha: float) -> bool:
    """Whether the evidence is enough that the probability is above 1 − `rest`."""
    return 0 < rest < 1 and log_evidence(hits, misses, rest) >= -math.log(alpha)


def is_below(hits: int, misses: int, rest: float, alpha: float) -> bool:
    """Whether the evidence is enough that the probability is below 1 − `rest`."""
    return rest <= 0 or (rest < 1 and log_evidence(misses, hits, 1 - rest) >= -math.log(alpha))


def _log(x: float) -> float:
    return math.log(x) if x > 0 else -math.inf
