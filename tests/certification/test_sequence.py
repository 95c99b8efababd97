"""Bounds that may be looked at at any time: coverage under the worst stopping rules, and against direct integration."""

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import binom, norm

from advtool.certification.binomial import lower_bound
from advtool.certification.sequence import is_above, is_below, log_evidence
from advtool.certification.stopping import Sampling


@pytest.mark.parametrize(
    ("hits", "misses", "p0"), [(9, 1, 0.5), (40, 2, 0.8), (3, 5, 0.6), (0, 0, 0.7), (500, 3, 0.98)]
)
def test_the_evidence_is_the_mixture_of_likelihood_ratios(hits, misses, p0):
    def density(t):  # of arcsine's distribution in p = sin² t, which has no poles
        return 1.0

    start, end = math.asin(math.sqrt(p0)), math.pi / 2
    weight = quad(density, start, end)[0]
    scale = hits * math.log(p0) + misses * math.log1p(-p0)

    def ratio(t):
        p = math.sin(t) ** 2
        logs = hits * math.log(p) + (misses * math.log1p(-p) if misses else 0.0)
        return math.exp(logs - scale)

    exact = math.log(quad(ratio, start, end, limit=200)[0] / weight)
    assert log_evidence(hits, misses, 1 - p0) == pytest.approx(exact, abs=2e-6)
    assert log_evidence(hits, misses, 1 - p0) <= exact


def test_it_is_a_supermartingale():
    """One more vote does not raise the evidence in the mean, at p₀ and below; it stays the same at p₀."""
    for hits, misses in ((0, 0), (7, 0), (30, 12), (200, 1)):
        for rest in (0.5, 0.2, 0.01):
            now = math.exp(log_evidence(hits, misses, rest))
            for p in (1 - rest, 0.9 * (1 - rest)):
                later = p * math.exp(log_evidence(hits + 1, misses, rest))
                later += (1 - p) * math.exp(log_evidence(hits, misses + 1, rest))
                assert later <= now * (1 + 1e-5)
                if p == 1 - rest:
                    assert later == pytest.approx(now, rel=1e-5)


def ever_wrong(p: np.ndarray, sampling: Sampling, seed: int) -> int:
    """How many images with these probabilities are certified, at any look, in a radius that does not hold."""
    generator, wrong = np.random.default_rng(seed), 0
    for each in p:
        rule, hits, drawn = sampling.rule(0.0), 0, 0
        for n in sampling.looks():
            hits += int(generator.binomial(n - drawn, each))
            drawn, bound = n, rule.look(hits, n)
            if bound is not None:
                break
        true = sampling.sigma * norm.ppf(each) if each > 0.5 else -1.0
        wrong += bound.radius is not None and bound.radius > true
    return wrong


@pytest.mark.parametrize("radii", [(0.25,), (0.0, 0.1, 0.25, 0.4), None])
def test_10_000_images_are_covered_fixed_and_stopped_early(radii):
    """With p at random, and at the boundary itself, where being wrong is most likely."""
    alpha = 0.01
    sampling = Sampling(0.25, 3_000, alpha, radii)
    generator = np.random.default_rng(1)
    for p in (generator.uniform(0.4, 1, 5_000), np.full(5_000, norm.cdf(1.0))):
        assert ever_wrong(p, sampling, 2) <= binom.isf(1e-6, len(p), alpha)


def test_looking_after_every_vote_and_stopping_at_the_best_moment_is_allowed():
    """At the boundary, in 4,000 runs of 1,500 votes; the fixed bound looked at like that is wrong far too often."""
    alpha, rest, n, runs = 0.05, 0.1, 1_500, 4_000
    generator = np.random.default_rng(3)
    hits = (generator.random((runs, n)) < 1 - rest).cumsum(1)
    looks = np.arange(1, n + 1)
    needed = np.array([next((k for k in range(m + 1) if is_above(k, m - k, rest, alpha)), m + 1) for m in looks[9::10]])
    stopped = (hits[:, 9::10] >= needed).any(1).mean()
    fixed = np.array([binom.isf(alpha, m, 1 - rest) for m in looks[9::10]])
    peeked = (hits[:, 9::10] > fixed).any(1).mean()
    assert stopped <= alpha + 3 * math.sqrt(alpha / runs) and peeked > 2 * alpha
    ever_below = np.array(
        [next((k for k in range(m, -1, -1) if is_below(k, m - k, rest, alpha)), -1) for m in looks[9::10]]
    )
    assert (hits[:, 9::10] <= ever_below).any(1).mean() <= alpha + 3 * math.sqrt(alpha / runs)


def test_where_it_is_clear_few_draws_are_needed():
    """All votes for one class: at most half as many more than the fewest that any bound of this alpha could need."""
    for rest, alpha in ((0.16, 0.001), (0.02275, 0.001), (0.00135, 0.001)):
        fewest = math.ceil(math.log(alpha) / math.log1p(-rest))
        assert lower_bound(fewest, fewest, alpha) >= 1 - rest > lower_bound(fewest - 1, fewest - 1, alpha)
        found = next(n for n in range(1, 10**5) if is_above(n, 0, rest, alpha))
        assert fewest <= found <= 1.5 * fewest


def test_a_margin_makes_it_harder_and_the_ends_are_handled():
    sampling = Sampling(1.0, 1_000, 0.001, (1.0,))
    assert sampling.rule(0.0).look(1_000, 1_000).radius == 1.0
    assert sampling.rule(0.2).look(1_000, 1_000).radius is None
    assert not is_above(10, 0, 0.0, 0.5) and is_below(10, 0, 0.0, 0.5)
    assert not is_above(10**6, 0, 1e-18, 0.001)
    for hits, misses in ((10**6, 0), (0, 10**6), (10**6, 10**6)):
        assert is_above(hits, misses, 0.7, 0.001) is (hits > 0)
        assert is_below(hits, misses, 0.3, 0.001) is (misses > 0)
