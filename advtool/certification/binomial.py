"""What counts of votes say of a probability, and a probability of a radius: exact, for a number of votes that is fixed.

Cohen et al. 2019, https://arxiv.org/abs/1902.02918, section 3.2 and appendix B.
"""

import math

from scipy.special import betaincinv, ndtr, ndtri
from scipy.stats import binom


def lower_bound(hits: int, n: int, alpha: float) -> float:
    """The one-sided lower Clopper–Pearson bound of a probability (Clopper and Pearson 1934).

    Parameters
    ----------
    hits : in n independent draws
    alpha : the probability with which, at most, the bound is above what it bounds
    """
    return float(betaincinv(hits, n - hits + 1, alpha)) if hits else 0.0


def radius_of(p: float, sigma: float) -> float:
    """The l2 radius σ·Φ⁻¹(p) in which a class of probability p under N(0, σ²) keeps at least half; 0 for p ≤ ½.

    The paper's equation 3 with the other classes taken as one: 1 − p bounds them. It may be infinite.
    """
    return sigma * float(ndtri(p)) if p > 0.5 else 0.0


def rest_of(radius: float, sigma: float) -> float:
    """1 − Φ(r/σ): as much as may be left for the other classes at a radius r. Exact where that is tiny."""
    return float(ndtr(-radius / sigma))


def answers(first: int, second: int, alpha: float) -> bool:
    """Whether the more frequent of two classes is the more probable one, but for a chance of alpha (Hung and Fithian
    2019): the two-sided binomial test of PREDICT."""
    return min(1.0, 2 * float(binom.sf(first - 1, first + second, 0.5))) <= alpha


def fewest_hits(n: int, alpha: float) -> int:
    """The fewest hits in n draws whose `lower_bound` is above ½; n + 1 if there are none."""
    hits = int(binom.isf(alpha, n, 0.5)) + 1
    return next((k for k in range(max(0, hits - 2), n + 1) if lower_bound(k, n, alpha) > 0.5), n + 1)


def farthest(sigma: float, n: int, alpha: float, margin: float = 0.0) -> float:
    """The radius that n hits in n draws give, which none exceeds: σ·Φ⁻¹(α^(1/n)), less a margin of the probability."""
    rest = -math.expm1(math.log(alpha) / n) + margin
    return max(0.0, -sigma * float(ndtri(rest)))
