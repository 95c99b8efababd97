"""Bounds of a probability by a fixed number of votes: published values, and the binomial distribution itself."""

import math

import numpy as np
import pytest
from scipy.stats import beta, binom, binomtest, norm

from advtool.certification.binomial import answers, farthest, fewest_hits, lower_bound, radius_of, rest_of


@pytest.mark.parametrize(("n", "radius"), [(100, 1.50048), (1_000, 2.46326), (10_000, 3.19858), (100_000, 3.81146)])
@pytest.mark.parametrize("sigma", [1.0, 0.25])
def test_the_radius_of_votes_that_are_all_for_one_class(n, radius, sigma):
    assert radius_of(lower_bound(n, n, 0.001), sigma) / sigma == pytest.approx(radius, abs=5e-6)
    assert farthest(sigma, n, 0.001) == pytest.approx(radius_of(lower_bound(n, n, 0.001), sigma))


@pytest.mark.parametrize(("hits", "radius"), [(50_489, 0), (90_000, 1.26484), (99_000, 2.29000)])
def test_the_radius_of_some_of_100_000_votes(hits, radius):
    assert radius_of(lower_bound(hits, 100_000, 0.001), 1) == pytest.approx(radius, abs=5e-6)


def test_50_490_of_100_000_votes_are_the_fewest_that_certify():
    assert fewest_hits(100_000, 0.001) == 50_490
    assert radius_of(lower_bound(50_490, 100_000, 0.001), 1) > 0
    assert fewest_hits(9, 0.001) == 10 and fewest_hits(10, 0.001) == 10


@pytest.mark.parametrize(
    ("first", "second", "answer"), [(10, 0, False), (11, 0, True), (65, 35, False), (70, 30, True)]
)
def test_predictions_of_the_paper(first, second, answer):
    assert answers(first, second, 0.001) is answer
    assert bool(binomtest(first, first + second, 0.5).pvalue <= 0.001) is answer


@pytest.mark.parametrize("alpha", [0.05, 0.001, 1e-7])
def test_a_bound_is_where_as_many_hits_or_more_have_a_chance_of_alpha(alpha):
    for n, hits in ((1, 1), (20, 3), (100, 99), (5_000, 2_600), (100_000, 99_990)):
        bound = lower_bound(hits, n, alpha)
        assert binom.sf(hits - 1, n, bound) == pytest.approx(alpha, rel=1e-6)
        assert bound == pytest.approx(beta.ppf(alpha, hits, n - hits + 1), rel=1e-9)
    assert lower_bound(0, 10, alpha) == 0


def test_bounds_exceed_a_known_probability_as_rarely_as_promised():
    """Exactly, by the sum over all counts, and for 10,000 simulated images."""
    for p, n, alpha in ((0.5, 300, 0.01), (0.93, 1_000, 0.001), (0.999, 1_000, 0.05)):
        hits = np.arange(n + 1)
        wrong = [lower_bound(int(k), n, alpha) > p for k in hits]
        assert binom.pmf(hits, n, p)[wrong].sum() <= alpha
    generator = np.random.default_rng(0)
    p = generator.uniform(0.4, 1, 10_000)
    hits = generator.binomial(1_000, p)
    failures = sum(lower_bound(int(k), 1_000, 0.01) > q for k, q in zip(hits, p, strict=True))
    assert failures <= binom.isf(1e-6, 10_000, 0.01)
    assert failures >= 20  # it is not merely timid: nearly all of alpha is used


def test_what_is_left_for_other_classes_is_exact_far_out():
    assert rest_of(8, 1) == pytest.approx(6.220960574271786e-16, rel=1e-9)
    assert rest_of(0.5, 0.25) == pytest.approx(norm.sf(2))
    assert radius_of(0.5, 1) == 0 and radius_of(1.0, 1) == math.inf
