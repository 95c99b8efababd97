"""The checks themselves: honest numbers pass, wrong ones fail, and what cannot be sampled is said to be so."""

import math

import numpy as np
import pytest
from scipy.stats import binomtest
from scipy.stats import norm as normal

from advtool.theory.bernoulli import checks as bernoulli_checks
from advtool.theory.bernoulli.report import report as bernoulli
from advtool.theory.gaussian import checks as gaussian_checks
from advtool.theory.gaussian.report import report as gaussian
from advtool.theory.mixture import checks as mixture_checks
from advtool.theory.mixture.report import REPORTS
from advtool.theory.mle import checks as mle_checks
from advtool.theory.mle.report import report as mle
from advtool.theory.monte_carlo import Claim, check, clopper_pearson, normal_tail
from advtool.theory.tails import log_difference, log_interval
from advtool.theory.tradeoff import checks as tradeoff_checks
from advtool.theory.tradeoff.report import report as tradeoff


def coin(p):
    return lambda rng, n: rng.random(n) < p


@pytest.mark.parametrize(("hits", "n"), [(0, 50), (50, 50), (7, 50), (400, 1000)])
def test_intervals(hits, n):
    expected = binomtest(hits, n).proportion_ci(method="exact")
    assert clopper_pearson(hits, n) == pytest.approx((expected.low, expected.high))


def verdict(value, p=0.3, relation="==", **kwargs):
    return check([Claim("x", value, math.log(value), coin(p), relation=relation, **kwargs)], 100_000, 0)[0]["agrees"]


def test_wrong_numbers_are_found():
    assert verdict(0.3) is True
    assert verdict(0.31) is False and verdict(0.29) is False
    assert verdict(0.2, relation="<=") is False and verdict(0.4, relation="<=") is True
    assert verdict(0.4, relation=">=") is False and verdict(0.2, relation=">=") is True


def test_rare_events_are_weighted_or_said_to_be_unchecked():
    assert verdict(1e-9, p=1e-9) is None
    for t in (5.0, 12.0, 20.0):
        value, log_value = float(normal.sf(t)), float(normal.logsf(t))
        for factor, agrees in ((1, True), (1.1, False), (0.9, False)):
            claimed = log_value + math.log(factor)
            claim = Claim("x", value * factor, claimed, coin(value), normal_tail(claimed, t))
            (found,) = check([claim], 400_000, 1)
            assert (found["method"], found["agrees"]) == ("importance", agrees), (t, factor)


def test_honest_runs_pass():
    """With a false alarm of 1e-6 a run, 40 runs of all models pass."""
    for seed in range(40):
        records = check([Claim("x", p, math.log(p), coin(p)) for p in (0.001, 0.1, 0.9)], 20_000, seed)
        assert all(record["agrees"] for record in records)


REPORTED = [
    (gaussian_checks, gaussian()),
    (gaussian_checks, gaussian(1.0, 2.0, delta=[3, 1, 0.2, -2])),
    (gaussian_checks, gaussian(1.0, 2.0, distance=200.0, eps_p=3.0)),
    (bernoulli_checks, bernoulli(dim=20, eps=0.1)),
    (bernoulli_checks, bernoulli(tau=[0.4] * 60, eps=0.05, n=30)),
    (tradeoff_checks, tradeoff(t=0.5)),
    (tradeoff_checks, tradeoff(dim=10**6, eta=0.05)),
    (mle_checks, mle([0.5, 2.0, 7.0], 1.3, penalty=3.0)),
    *((mixture_checks, case()) for case in REPORTS.values()),
]


@pytest.mark.parametrize(
    ("checks", "report"), REPORTED, ids=lambda value: value["model"] if isinstance(value, dict) else ""
)
def test_every_report_agrees_with_sampling(checks, report):
    claims = checks.claims(report)
    assert claims
    records = check(claims, 30_000, 0)
    assert not [record for record in records if record["agrees"] is not True]


@pytest.mark.parametrize(
    ("checks", "report"), REPORTED[:1] + REPORTED[5:6] + REPORTED[8:9], ids=["gaussian", "tradeoff", "mixture"]
)
def test_every_claim_would_notice(checks, report):
    """A number that is a fifth too large disagrees."""
    for claim in checks.claims(report):
        if claim.relation == "==" and 1e-3 < claim.value < 0.8:
            wrong = Claim(claim.name, 1.2 * claim.value, claim.log_value, claim.hits, claim.weights)
            assert check([wrong], 400_000, 0)[0]["agrees"] is False, claim.name


def test_log_differences():
    assert log_difference(0.0, -math.inf) == 0
    assert log_difference(-5.0, -5.0) == -math.inf
    assert log_difference(math.log(0.3), math.log(0.1)) == pytest.approx(math.log(0.2))
    low, high = np.array([-3.0, 2.0, 30.0, -40.0, 1.0]), np.array([1.0, 2.5, 31.0, -39.0, 1.0])
    expected = [
        math.log(normal.cdf(1) - normal.cdf(-3)),
        math.log(normal.cdf(2.5) - normal.cdf(2)),
        normal.logsf(30),
        normal.logcdf(-39),
    ]
    np.testing.assert_allclose(log_interval(low, high)[:4], expected, rtol=1e-9)
    assert log_interval(low, high)[4] == -math.inf
