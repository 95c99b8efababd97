"""The mixture against linear programs, sampling and quadrature; bound (3) and Corollary 2 where they fail."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog, minimize

from advtool.errors import AdvtoolError, UsageError
from advtool.theory.mixture import squares
from advtool.theory.mixture.corollaries import critical_eps, log_corollary3, log_total_risks, sparse_classifier
from advtool.theory.mixture.exact import attack_reach, log_adversarial_risk
from advtool.theory.mixture.report import corollary3, corollary4, report, theorem7
from advtool.theory.mixture.risks import (
    Mixture,
    log_adversarial_risk_total,
    log_bound3,
    log_repaired_bound,
    log_risk,
)


def pairs(most=4):
    """θ and w of the same length, neither nearly zero nor parallel."""
    vectors = st.integers(2, most).flatmap(
        lambda d: st.tuples(*[st.lists(st.floats(-3, 3), min_size=d, max_size=d)] * 2).map(np.array)
    )
    return vectors.filter(lambda v: np.all(np.linalg.norm(v, axis=1) > 0.1)).filter(
        lambda v: abs(v[0] @ v[1]) < 0.9999 * np.linalg.norm(v[0]) * np.linalg.norm(v[1])
    )


@given(pairs(), st.floats(0.01, 1.5), st.floats(0.05, 3))
@settings(deadline=None, max_examples=40)
def test_linf_reach_by_a_linear_program(vectors, eps, a):
    theta, w = vectors
    mixture = Mixture(theta, w, 1.0)
    unit, direction = theta / np.linalg.norm(theta), w / np.linalg.norm(w)
    solved = linprog(direction, A_ub=[-unit], b_ub=[a], bounds=[(-eps, eps)] * len(w))
    assert attack_reach(mixture, eps, math.inf)(np.array([a]))[0] == pytest.approx(
        -solved.fun, rel=1e-6
    )  # HiGHS's tolerance is 1e-7


@given(pairs(3), st.floats(0.05, 1.5), st.floats(0.05, 2))
@settings(deadline=None, max_examples=25)
def test_l2_reach_by_a_general_optimiser(vectors, eps, a):
    theta, w = vectors
    unit, direction = theta / np.linalg.norm(theta), w / np.linalg.norm(w)
    constraints = [
        {"type": "ineq", "fun": lambda d: eps**2 - d @ d},
        {"type": "ineq", "fun": lambda d: unit @ d + a},
    ]
    starts = np.random.default_rng(0).normal(0, 0.1 * eps, (4, len(w)))
    best = max(-minimize(lambda d: direction @ d, start, constraints=constraints).fun for start in starts)
    assert attack_reach(Mixture(theta, w, 1.0), eps, 2)(np.array([a]))[0] == pytest.approx(best, rel=1e-4, abs=1e-5)


@given(pairs(), st.floats(0.2, 2), st.floats(0, 1.5), st.sampled_from([2, math.inf]))
@settings(deadline=None, max_examples=60)
def test_orderings(vectors, sigma, eps, p):
    mixture = Mixture(*vectors, sigma)
    exact, total = log_adversarial_risk(mixture, eps, p), log_adversarial_risk_total(mixture, eps, p)
    assert exact <= total + 1e-9
    assert exact <= log_repaired_bound(mixture, eps, p)[0] + 1e-9
    assert log_risk(mixture) <= total + 1e-12
    assert log_adversarial_risk(mixture, 0.0, p) == -math.inf
    assert log_adversarial_risk(mixture, eps / 2, p) <= exact + 1e-9
    scaled = Mixture(mixture.theta, 7.3 * mixture.w, sigma)
    assert math.exp(log_adversarial_risk(scaled, eps, p)) == pytest.approx(math.exp(exact), rel=1e-9, abs=1e-15)
    flipped = Mixture(-mixture.theta, -mixture.w, sigma)
    assert math.exp(log_adversarial_risk(flipped, eps, p)) == pytest.approx(math.exp(exact), rel=1e-9, abs=1e-15)


@pytest.mark.parametrize("p", [2, math.inf])
def test_exact_risk_by_sampling(p):
    mixture, eps, n = Mixture([1.0, 1.0, 0.5], [2.0, 1.0, -1.0], 0.8), 0.3, 200_000
    rng = np.random.default_rng(0)
    y = np.where(rng.random(n) < 0.5, 1, -1)
    x = y[:, None] * mixture.theta + 0.8 * rng.normal(size=(n, 3))
    g, f = x @ mixture.theta / 1.5, x @ mixture.w / math.sqrt(6)
    reach = attack_reach(mixture, eps, p)(np.abs(g))
    hit = (np.sign(g) == np.sign(f)) & (np.abs(f) < reach)
    assert math.exp(log_adversarial_risk(mixture, eps, p)) == pytest.approx(hit.mean(), abs=0.005)


@pytest.mark.parametrize("p", [2, math.inf])
def test_exact_risk_by_a_fine_sum(p):
    mixture, eps = Mixture([2.0, 0.5], [1.0, -0.2], 0.7), 0.4
    size = np.linalg.norm(mixture.theta)
    c = float(mixture.w @ mixture.theta) / size / np.linalg.norm(mixture.w)
    from scipy.stats import norm as normal

    a = (np.arange(200_000) + 0.5) * 8e-5
    s = 0.7 * math.sqrt(1 - c * c)
    inner = normal.cdf((attack_reach(mixture, eps, p)(a) - c * a) / s) - normal.cdf(-c * a / s)
    total = sum(float(np.sum(normal.pdf(a, y * size, 0.7) * inner)) * 8e-5 for y in (1, -1))
    assert math.exp(log_adversarial_risk(mixture, eps, p)) == pytest.approx(total, rel=1e-6)


def test_far_tails_do_not_underflow():
    mixture = Mixture([50.0, 0.0], [1.0, 1.0], 1.0)
    assert -2000 < log_adversarial_risk(mixture, 0.5, math.inf) < -500
    assert log_adversarial_risk(mixture, 0.5, math.inf) <= log_adversarial_risk_total(mixture, 0.5, math.inf)


def test_parallel_is_zero_but_near_is_not():
    assert log_adversarial_risk(Mixture([2, 1], [4, 2], 1.0), 0.5, math.inf) == -math.inf
    assert "parallel" in " ".join(report([2, 1], [4, 2])["warnings"])
    beside = (Mixture([2, 1], [2 + k, 1], 1.0) for k in (1e-5, -1e-5))
    near = [math.exp(log_adversarial_risk(mixture, 0.5, math.inf)) for mixture in beside]
    assert max(near) == pytest.approx(0.0367, abs=2e-4) and min(near) > 0.03


def test_x1_bound_3_is_below_the_truth():
    theta = np.zeros(1001)
    theta[0] = 1
    w = 0.01 * np.concatenate([[3.0], np.full(1000, 1 / math.sqrt(1000))])
    mixture, eps = Mixture(theta, w, 1.0), 0.3
    exact, bound = math.exp(log_adversarial_risk(mixture, eps, math.inf)), math.exp(log_bound3(mixture, eps, math.inf))
    assert exact == pytest.approx(0.92598, abs=5e-6) and bound == pytest.approx(0.91890, abs=5e-6) and exact > bound
    rng, n = np.random.default_rng(0), 4000  # in all dimensions, by the definition
    y = np.where(rng.random(n) < 0.5, 1, -1)
    x = y[:, None] * theta + rng.normal(size=(n, 1001))
    a, b = x @ theta, x @ w
    reach = attack_reach(mixture, eps, math.inf)(np.abs(a)) * np.linalg.norm(w)
    hit = (np.sign(a) == np.sign(b)) & (np.abs(b) < reach)
    assert hit.mean() > 0.9205
    assert exact <= math.exp(log_repaired_bound(mixture, eps, math.inf)[0])
    assert any("X1" in warning for warning in report(theta, w, 1.0, eps)["warnings"])
    assert log_bound3(Mixture([1, 2], [1, 2], 1.0), 0.1, 2) is None


@pytest.mark.parametrize("p", [3, 101, 10_001])
def test_x2_corollary_2_needs_a_large_eps(p):
    critical = critical_eps(p)
    for eps, holds in ((critical * 0.99, False), (critical * 1.01, True)):
        bayes, first = log_total_risks(p, eps, 1.0)
        assert (first < bayes) is holds
        theta, e1 = np.full(p, 1 / math.sqrt(p - 1)), np.zeros(p)
        theta[0] = e1[0] = 1
        assert log_adversarial_risk_total(Mixture(theta, theta, 1.0), eps, math.inf) == pytest.approx(bayes, rel=1e-9)
        assert log_adversarial_risk_total(Mixture(theta, e1, 1.0), eps, math.inf) == pytest.approx(first, rel=1e-9)
    assert critical_eps(3) == pytest.approx(0.5858, abs=1e-4) and critical_eps(101) == pytest.approx(0.0611, abs=1e-4)


def test_corollary_3_at_both_sizes():
    assert corollary3()["adversarial_risk"] == pytest.approx(0.9653, abs=5e-5) and corollary3()["claim_holds"]
    theta_squared = 2 + 2 * math.sqrt(2)
    found = log_corollary3(theta_squared, 10**6, 1.0, 2 * theta_squared / 1000)
    assert math.exp(found) == pytest.approx(0.9615, abs=5e-5)
    mixture = sparse_classifier(theta_squared, 100)
    bayes = Mixture(mixture.theta, mixture.theta, 1.0)
    excess = math.exp(log_risk(mixture)) - math.exp(log_risk(bayes))
    assert corollary3(free=100)["excess_risk"] == pytest.approx(excess, rel=1e-9)


def test_x4_corollary_4_depends_on_the_start():
    found = corollary4()
    assert found["printed_start"]["claim_holds"] and not found["repaired_start"]["claim_holds"]
    assert found["repaired_start"]["adversarial_risk"] == pytest.approx(0.373, abs=5e-4)
    assert found["repaired_start_at_theta"]["adversarial_risk"] == pytest.approx(0.898, abs=5e-4)
    rng = np.random.default_rng(0)
    alpha = np.abs(rng.normal(0, 10_000**-0.5, (50, 10_000))).sum(1).mean()
    assert found["repaired_start"]["alpha_l1"] == pytest.approx(alpha, rel=1e-2)


@given(st.floats(0, 2.5), st.floats(0, 3))
@settings(deadline=None)
def test_two_squares_on_a_grid(eps, lam):
    found, c = squares.minimise(eps, lam), np.linspace(-5, 5, 20_001)
    objective = (1 - lam) * squares.risk(c) + lam * squares.risk(c, eps)
    assert found["objective"] <= objective.min() + 1e-9
    if lam == 1 and eps <= 1.2:
        assert found["adversarial_risk_total"] == pytest.approx(min(0.25, max(0, (eps - 0.2) / 4)))


def test_two_squares_by_sampling_and_their_kink():
    rng = np.random.default_rng(0)
    y = np.where(rng.random(200_000) < 0.75, 1, -1)
    x = 1.2 * y + rng.uniform(-1, 1, len(y))
    for eps in (0.1, 0.39, 0.7, 1.1):
        found = squares.minimise(eps)
        assert found["risk"] == pytest.approx(max(0, eps - 0.4) / 8)
        attacked = np.mean(y * (x - found["threshold"]) < eps)
        assert found["adversarial_risk_total"] == pytest.approx(attacked, abs=0.006)
    assert squares.minimise(1.5)["risk_highest"] == pytest.approx(0.25)


def test_theorem_7_by_sampling_and_to_first_order():
    rng, n, (w, bias, eps) = np.random.default_rng(0), 400_000, ((2.0, 0.5), 0.1, 0.15)
    y = np.where(rng.random(n) < 0.75, 1, -1)
    f = 2.0 * (1.2 * y + rng.uniform(-1, 1, n)) + 0.5 * rng.uniform(-1, 1, n) + bias
    rise = np.logaddexp(0, -y * f + 2.5 * eps) - np.logaddexp(0, -y * f)
    found = theorem7(w, bias, eps)
    assert found["adversarial_loss"] == pytest.approx(rise.mean(), abs=6 * rise.std() / math.sqrt(n))
    assert found["first_order"] <= found["adversarial_loss"] <= found["upper_bound"]
    small = theorem7(w, bias, 1e-9)
    assert small["adversarial_loss"] == pytest.approx(small["first_order"], rel=1e-7)


@pytest.mark.parametrize(
    ("kwargs", "word"),
    [
        ({"theta": [0, 0]}, "theta"),
        ({"w": [0, 0]}, "w"),
        ({"w": [math.nan, 1]}, "w"),
        ({"w": [1, 2, 3]}, "theta has 2"),
        ({"sigma": 0.0}, "sigma"),
        ({"eps": -0.1}, "eps"),
    ],
)
def test_bad_values(kwargs, word):
    with pytest.raises(UsageError, match=word):
        report(**kwargs)


def test_other_norms_have_totals_but_no_exact_risk():
    found = report(p=3.0)
    assert found["adversarial_risk"] is None and 0 < found["adversarial_risk_total"] < 1
    with pytest.raises(AdvtoolError, match="linf and l2"):
        log_adversarial_risk(Mixture([1, 0], [1, 1], 1.0), 0.1, 3)
