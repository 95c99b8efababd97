"""Robust maximum likelihood against direct optimisation and sampling."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from advtool.errors import AdvtoolError, UsageError
from advtool.theory.mle.alignment import alignment, worst_alignment, worst_mean
from advtool.theory.mle.covariance import lam_bounds, robust_covariance
from advtool.theory.mle.perturbation import excess_loss, quadratic, worst_perturbation
from advtool.theory.mle.report import report

variances = st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=6)
radii = st.floats(1e-4, 30)


@given(variances, radii)
@settings(deadline=None)
def test_the_multiplier_solves_its_equation_within_its_bounds(s, eps):
    found, bounds = robust_covariance(s, eps), lam_bounds(s, eps)
    stretch = np.sqrt(found.variances / np.array(s)) - 1
    assert float(np.array(s) @ stretch**2) == pytest.approx(eps**2, rel=1e-6)
    assert (
        bounds["lower"] * (1 - 1e-9) <= found.lam <= bounds["upper"] * (1 + 1e-9) <= bounds["upper_paper"] * (1 + 1e-8)
    )
    assert found.lam > 1 / found.variances.min() * (1 - 1e-9)  # M3: for every ε
    expected = np.array(s) / 2 + 1 / found.lam + np.sqrt(np.array(s) / found.lam + np.array(s) ** 2 / 4)
    np.testing.assert_allclose(found.variances, expected, rtol=1e-8)


@given(variances, radii, st.integers(0, 2**32))
@settings(deadline=None)
def test_m8_alignment_improves_for_every_mean(s, eps, seed):
    mu = np.random.default_rng(seed).normal(size=len(s))
    robust = robust_covariance(s, eps).variances
    assert alignment(mu, robust) >= alignment(mu, s) - 1e-9
    assert worst_alignment(robust) >= worst_alignment(s) - 1e-12
    assert alignment(mu, s) >= worst_alignment(s) - 1e-9
    assert alignment(worst_mean(s), s) == pytest.approx(worst_alignment(s), rel=1e-9)
    if np.ptp(s) == 0:  # M5: equal, not strictly better
        assert worst_alignment(robust) == pytest.approx(worst_alignment(s)) == 1


def test_no_attack_and_one_variance():
    np.testing.assert_array_equal(robust_covariance([1, 4], 0.0).variances, [1, 4])
    assert robust_covariance([1, 4], 0.0).lam == math.inf
    for d in (1, 10, 10**6):
        found = robust_covariance(np.full(d, 2.0), 0.7).variances
        assert found[-1] == pytest.approx((math.sqrt(2) + 0.7 / math.sqrt(d)) ** 2, rel=1e-12)


def test_robust_covariance_is_the_minimax_of_a_fixed_multiplier():
    """Minimise over Σ the expected penalised worst loss, the multiplier being optimal: E over x in closed form."""
    s, eps = np.array([0.5, 3.0]), 0.8
    found = robust_covariance(s, eps)

    def worst(log_sigma):
        sigma = np.exp(log_sigma)

        def dual(x):  # min over λ ≥ 1/σ_min of E ½ v'(Σ − 1/λ)⁻¹ v + ½λε²
            lam = (1 + math.exp(x)) / sigma.min()
            return 0.5 * float(np.sum(s / (sigma - 1 / lam))) + 0.5 * lam * eps**2

        best = min(minimize(lambda x: dual(x[0]), [start], method="Nelder-Mead").fun for start in (-2.0, 0.0, 2.0))
        return best + 0.5 * float(np.sum(log_sigma))

    here = worst(np.log(found.variances))
    rng = np.random.default_rng(0)
    assert all(worst(np.log(found.variances) + rng.normal(0, 0.05, 2)) >= here - 1e-7 for _ in range(40))


@pytest.mark.parametrize("v", [[1.4e-160], [5e-324], [-5e-324, 2.0], [1e-160, 0.0]])
@pytest.mark.parametrize("eps", [0.01, 1.0, 3.0])
def test_tiny_residuals_are_attacked_with_the_whole_budget(v, eps):
    delta, _ = worst_perturbation(np.array(v), np.arange(1.0, len(v) + 1), eps)
    assert np.linalg.norm(delta) == pytest.approx(eps, rel=1e-9)
    assert delta[0] * v[0] >= 0


@given(
    st.integers(1, 5).flatmap(
        lambda d: st.tuples(
            st.lists(st.floats(0.1, 10), min_size=d, max_size=d), st.lists(st.floats(-3, 3), min_size=d, max_size=d)
        )
    ),
    st.floats(0.01, 5),
)
@settings(deadline=None, max_examples=60)
def test_no_perturbation_is_worse(case, eps):
    s, v = np.array(case[0]), np.array(case[1])
    delta, _ = worst_perturbation(v, s, eps)
    assert np.linalg.norm(delta) == pytest.approx(eps, rel=1e-7)
    rivals = np.random.default_rng(0).normal(size=(500, len(s)))
    rivals *= eps / np.linalg.norm(rivals, axis=1)[:, None]
    assert quadratic(v + delta, s) >= max(quadratic(v + rival, s) for rival in rivals) - 1e-9 * (1 + quadratic(v, s))


@pytest.mark.parametrize("v", [[0.0, 2.0], [0.0, 0.0], [0.0, 0.1]])
def test_hard_case_by_going_round_the_circle(v):
    s, eps = np.array([1.0, 4.0]), 1.0
    turn = np.linspace(0, 2 * np.pi, 100_001)
    best = max(quadratic(np.array(v) + [math.cos(a), math.sin(a)], s) for a in turn[::10])
    delta, _ = worst_perturbation(v, s, eps)
    assert quadratic(np.array(v) + delta, s) == pytest.approx(best, rel=1e-6)


def test_excess_loss_by_sampling_and_its_limit():
    s, penalty, rng = np.array([1.0, 4.0]), 2.0, np.random.default_rng(0)
    v = rng.normal(size=(200_000, 2)) * np.sqrt(s)
    for convention, half in (("nll", 0.5), ("paper", 1.0)):
        delta = v / (penalty / half * s - 1)
        rise = half * (((v + delta) ** 2 - v**2) / s).sum(1)
        assert excess_loss(s, penalty, convention) == pytest.approx(rise.mean(), abs=6 * rise.std() / 447)
        # δ really is the maximiser of the penalised loss
        gain = half * ((v[:5] + delta[:5]) ** 2 / s).sum(1) - penalty * (delta[:5] ** 2).sum(1)
        for _ in range(50):
            other = delta[:5] + rng.normal(0, 0.2, (5, 2))
            assert np.all(half * ((v[:5] + other) ** 2 / s).sum(1) - penalty * (other**2).sum(1) <= gain + 1e-9)
    with pytest.raises(AdvtoolError, match="unbounded.*above 0.5 "):
        excess_loss(s, 0.5)
    with pytest.raises(AdvtoolError, match="unbounded.*above 1 "):
        excess_loss(s, 1.0, "paper")


@given(variances, st.floats(1.5, 10))
@settings(deadline=None)
def test_equal_variances_have_the_smallest_excess_loss(s, factor):
    penalty = factor / min(s)
    assert excess_loss([float(np.mean(s))] * len(s), penalty) <= excess_loss(s, penalty) * (1 + 1e-9)


@pytest.mark.parametrize(
    ("kwargs", "word"),
    [
        ({"variances": [1.0, -1.0]}, "variances"),
        ({"variances": [math.nan]}, "variances"),
        ({"eps": math.inf}, "eps"),
        ({"mu": [1.0]}, "mu"),
        ({"mu": [0.0, 0.0]}, "mu"),
        ({"residual": [1.0]}, "residual"),
        ({"penalty": 0.1}, "penalty"),
        ({"convention": "other"}, "convention"),
    ],
)
def test_bad_values(kwargs, word):
    with pytest.raises(UsageError, match=f"^{word}"):
        report(**kwargs)
