"""When enough draws are made of an image, and what they guarantee then."""

import math
from dataclasses import dataclass
from typing import Protocol

from advtool.certification.binomial import lower_bound, radius_of, rest_of
from advtool.certification.sequence import is_above, is_below

FIRST = 100
"""Draws before votes are looked at for the first time; after each look there are half as many more."""


@dataclass(frozen=True)
class Bound:
    """What is guaranteed of the class with the most votes.

    Attributes
    ----------
    radius : l2, on the [0, 1] pixel scale, in which it is the answer; None if it may not be the answer at all
    p_lower : lower bound of its probability
    undecided : whether the draws came to their end before every question was settled
    """

    radius: float | None
    p_lower: float
    undecided: bool = False


NOTHING = Bound(None, 0.0)
_ROUNDING = 1e-12
"""By how much a bound of a probability may be off by its own computation."""


class Rule(Protocol):
    """Looks at the votes of one image as they come in."""

    def look(self, hits: int, n: int) -> Bound | None:
        """What n draws, of which `hits` were for the class, guarantee; None to go on drawing."""


@dataclass(frozen=True)
class Sampling:
    """How votes are drawn and bounded.

    Attributes
    ----------
    sigma : standard deviation of the noise
    samples : draws at most
    alpha : chance, at most, that the guarantee of an image is wrong
    radii : the only ones asked about, rising; None for the largest
    """

    sigma: float
    samples: int
    alpha: float
    radii: tuple[float, ...] | None = None

    def rule(self, margin: float, moved: float = 0.0) -> Rule:
        """A fresh rule for one image.

        Parameters
        ----------
        margin : by how much the draws may be off in any probability, see `GridNoise.margin`
        moved : how far what is asked about is from the image, by which each radius is smaller
        """
        margin += _ROUNDING
        return Largest(self, margin, moved) if self.radii is None else Asked(self, self.radii, margin, moved)

    def looks(self) -> list[int]:
        """Numbers of draws after which votes are looked at."""
        found = [min(FIRST, self.samples)]
        while found[-1] < self.samples:
            found.append(min(self.samples, math.ceil(1.5 * found[-1])))
        return found


class Largest:
    """The largest radius, by the Clopper–Pearson bound after all draws (CERTIFY of Cohen et al. 2019).

    It ends before that where the class is found not to have half of the votes, which only makes it abstain more often.
    """

    def __init__(self, sampling: Sampling, margin: float, moved: float):
        self._sampling, self._margin, self._moved = sampling, margin, moved

    def look(self, hits: int, n: int) -> Bound | None:
        own = self._sampling
        if n < own.samples:
            return NOTHING if is_below(hits, n - hits, 0.5, own.alpha) else None
        p_lower = max(0.0, lower_bound(hits, n, own.alpha) - self._margin)
        radius = math.nextafter(radius_of(p_lower, own.sigma), 0) - self._moved
        return Bound(radius, p_lower) if p_lower > 0.5 and radius >= 0 else NOTHING


class Asked:
    """The largest of some radii, by evidence that may be looked at at any time.

    A radius counts once all smaller ones do: a guarantee can be wrong only if that of the smallest radius that does not
    hold is, so that α is spent once (Marcus et al. 1976). It ends when each radius counts, or the next one is refuted
    with the same evidence, or there are no draws left.
    """

    def __init__(self, sampling: Sampling, radii: tuple[float, ...], margin: float, moved: float):
        self._alpha, self._samples, self._radii = sampling.alpha, sampling.samples, radii
        self._rests = [rest_of(radius + moved, sampling.sigma) for radius in radii]
        self._margin, self._reached = margin, 0

    def look(self, hits: int, n: int) -> Bound | None:
        while self._reached < len(self._radii):
            rest = self._rests[self._reached]
            if is_above(hits, n - hits, rest - self._margin, self._alpha):
                self._reached += 1
            elif is_below(hits, n - hits, rest, self._alpha):
                return self._bound(False)
            else:
                return self._bound(True) if n >= self._samples else None
        return self._bound(False)

    def _bound(self, undecided: bool) -> Bound:
        if not self._reached:
            return Bound(None, 0.0, undecided)
        return Bound(self._radii[self._reached - 1], 1 - self._rests[self._reached - 1], undecided)
