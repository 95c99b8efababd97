"""Two Gaussians against brute force, quadrature and sampling; what must hold; where the paper is wrong."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import minimize, minimize_scalar
from scipy.stats import norm as normal

from advtool.errors import UsageError
from advtool.theory.gaussian.bounds import dimension_bounds, eps_p, gap_bounds, mean_eps_inf
from advtool.theory.gaussian.decision import (
    NoMinimiser,
    TwoGaussians,
    log_error,
    other_stationary_point,
    threshold,
)
from advtool.theory.gaussian.hyperplane import most_robust, separation
from advtool.theory.gaussian.randomized import NotReachable, limit, noise_for
from advtool.theory.gaussian.report import report
from advtool.theory.gaussian.simulation import empirical_minimiser, simulate
from advtool.theory.gaussian.weighted import lam_of, minimise, objective
from advtool.theory.norms import nearest_in_ball, norm

PAPER = TwoGaussians(28.0, 3.0, 6.0)
widths = st.floats(0.05, 20)
distances = st.floats(0.1, 50)
fractions = st.floats(0, 1)


def error(model, w, shift=0.0):
    """β̃ by its definition."""
    one, two = normal(0, model.sigma1), normal(model.distance, model.sigma2)
    return (one.sf(w - shift) + two.cdf(w + shift)) / 2


@given(distances, widths, widths, st.floats(0, 0.5))
@settings(deadline=None, max_examples=60)
def test_no_hyperplane_beats_the_thresholds(h, s1, s2, fraction):
    model, shift = TwoGaussians(h, s1, s2), fraction * h
    if s1 == s2 and 2 * shift >= h:
        return
    places = np.concatenate(
        [np.linspace(-10 * s2 - 10 * s1, h + 10 * s2 + 10 * s1, 4001), h * np.linspace(-1, 2, 1001)]
    )
    for e in (0.0, shift):
        best = threshold(model, e)
        assert np.exp(log_error(model, best, e)) == pytest.approx(error(model, best, e), rel=1e-9, abs=1e-300)
        assert error(model, best, e) <= error(model, places, e).min() * (1 + 1e-9)


def test_equal_widths_that_nearly_meet_have_a_threshold():
    assert threshold(TwoGaussians(0.25, 0.375, 0.375), 0.49999999999999994 * 0.25) == pytest.approx(0.125)


@given(distances, widths, widths, fractions)
@settings(deadline=None)
def test_mirroring_the_classes_mirrors_the_threshold(h, s1, s2, fraction):
    model, shift = TwoGaussians(h, s1, s2), fraction * h / 2
    if s1 == s2 and 2 * shift >= h:
        return
    assert threshold(model.mirrored, shift) == pytest.approx(
        h - threshold(model, shift), rel=1e-9, abs=1e-9 * (s1 + s2 + h)
    )


@given(distances, widths, widths, fractions, st.floats(1e-3, 1e3))
@settings(deadline=None)
def test_thresholds_scale_with_the_picture(h, s1, s2, fraction, factor):
    shift = 0.99 * fraction * h / 2
    scaled = threshold(TwoGaussians(h * factor, s1 * factor, s2 * factor), shift * factor)
    assert scaled == pytest.approx(factor * threshold(TwoGaussians(h, s1, s2), shift), rel=1e-8, abs=1e-9 * factor)


@given(distances, widths, widths, fractions)
@settings(deadline=None)
def test_the_gap_is_within_its_bounds(h, s1, s2, fraction):
    if abs(s1 - s2) < 1e-3:
        return
    found = gap_bounds(TwoGaussians(h, s1, s2), fraction * h)
    slack = 1e-9 * (h + found["upper"])
    assert found["lower"] - slack <= found["gap"] <= found["upper"] + slack


@given(distances, widths, widths)
@settings(deadline=None)
def test_no_attack_is_no_change(h, s1, s2):
    model = TwoGaussians(h, s1, s2)
    assert threshold(model, 0.0) == threshold(model)
    assert minimise(model, 0.0, 1.0).w == pytest.approx(threshold(model), rel=1e-12)
    assert log_error(model, 1.0, 0.0) == log_error(model, 1.0)


@given(distances, widths, widths, st.floats(0.01, 0.9), st.floats(0.001, 100))
@settings(deadline=None, max_examples=60)
def test_no_hyperplane_beats_the_weighted_optimum(h, s1, s2, fraction, lam):
    model, shift = TwoGaussians(h, s1, s2), fraction * h
    found = minimise(model, shift, lam)
    places = np.linspace(-9 * (s1 + s2), h + 9 * (s1 + s2), 3001)
    rivals = np.logaddexp(log_error(model, places), math.log(lam) + log_error(model, places, shift))
    lowest = math.log(1 + lam) + math.log(0.5) if found.w is None else objective(model, shift, lam, found.w)
    assert lowest <= rivals.min() + 1e-9


@given(distances, widths, widths, st.floats(0.0, 30))
@settings(deadline=None)
def test_noise_and_threshold_are_inverse(h, s1, s2, noise):
    model = TwoGaussians(h, s1, s2)
    if abs(s1 - s2) < 0.01:
        return
    for kind in ("sd", "variance", "covariance"):
        w = threshold(model, noise=noise, kind=kind)
        again = (
            threshold(model, noise=noise_for(model, w, kind), kind=kind) if abs(w - limit(model, kind)) > 1e-6 else w
        )
        assert again == pytest.approx(w, rel=1e-8, abs=1e-8 * model.scale)


def test_thresholds_survive_extreme_scales():
    assert threshold(TwoGaussians(1e90, 1.0, 2.0)) == pytest.approx(1e90 / 3)
    assert threshold(TwoGaussians(1.0, 1e-50, 2e-50)) == pytest.approx(1 / 3)
    tiny, huge = (threshold(TwoGaussians(28 * f, 3 * f, 6 * f), 7 * f) / f for f in (1e-80, 1e80))
    assert tiny == pytest.approx(huge) == pytest.approx(12.51894295890557)
    with pytest.raises(UsageError, match="1e100"):
        TwoGaussians(1e200, 1.0, 2.0)


def test_log_errors_do_not_underflow():
    model = TwoGaussians(200.0, 1.0, 2.0)
    w = threshold(model)
    expected = np.logaddexp(normal.logsf(w), normal.logcdf((w - 200) / 2)) - math.log(2)
    assert log_error(model, w) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("shift", [14.0, 20.0])
def test_equal_widths_that_meet_have_no_robust_optimum(shift):
    with pytest.raises(NoMinimiser, match="1/2 everywhere"):
        threshold(TwoGaussians(28.0, 3.0, 3.0), shift)
    assert minimise(TwoGaussians(28.0, 3.0, 3.0), 100.0, 50.0).w is None


def test_the_other_stationary_point_is_a_maximum():
    model = TwoGaussians(28.0, 2.0, 18.0)
    for shift in (0.0, 7.0, 20.0):
        at = other_stationary_point(model, shift)
        here, around = error(model, at, shift), error(model, at + np.array([-0.3, 0.3]), shift)
        assert np.all(here > around)


@pytest.mark.parametrize("kind", ["variance", "covariance"])
def test_limits_of_noise_are_not_the_midpoint_g4(kind):
    assert threshold(PAPER, noise=1e10, kind=kind) == pytest.approx(14 + (36 - 9) / 56, rel=1e-6)
    assert threshold(PAPER, noise=1e6) > 1e5
    with pytest.raises(NotReachable, match="14.4821"):
        noise_for(PAPER, 15.0, kind)


def test_nine_of_ten_numbers_of_table_1_are_printed_right():
    for sigma1, sigma2, wrong in ((3.0, 6.0, 4), (2.0, 18.0, 0)):
        assert len(report(sigma1, sigma2)["misprints"]) == wrong
    changes = {m["where"]: 100 * m["value"] for m in report()["misprints"]}
    assert changes["adversarial.change.standard_error"] == pytest.approx(0.1599, abs=1.1e-4)
    assert changes["randomized.change.adversarial_error"] == pytest.approx(-4.7764, abs=1.1e-4)


def test_only_adding_to_deviations_gives_the_table_g3():
    found = {kind: report(noise_kind=kind)["randomized"] for kind in ("sd", "variance", "covariance")}
    errors = {k: (100 * v["standard_error"], 100 * v["adversarial_error"]) for k, v in found.items()}
    assert errors["sd"] == pytest.approx((0.2128, 5.6367), abs=5e-5)
    readings = [errors["variance"], errors["covariance"]]
    assert readings[0] == pytest.approx((0.162, 6.02), abs=6e-3)
    assert readings[1] == pytest.approx((0.101, 8.00), abs=6e-3)


def test_g5_robust_optimum_need_not_be_parallel():
    delta, eps = np.array([3, 1, 0.2, -2]), 0.5
    found = most_robust(delta, eps, math.inf)
    assert found.separation == pytest.approx(2.2360679775)
    assert separation(delta, delta, eps, math.inf) == pytest.approx(2.0923412097)
    shown = report(1.0, 2.0, delta=delta)["hyperplane"]
    assert shown["adversarial_error"] == pytest.approx(0.20829, abs=5e-6)
    assert shown["adversarial_error_parallel"] == pytest.approx(0.22123, abs=5e-6)
    # by direct minimisation over all hyperplanes n·x = b
    reached = min(_minimised(delta, eps, seed) for seed in range(4))
    assert reached == pytest.approx(shown["adversarial_error"], abs=1e-6)


def _minimised(delta, eps, seed):
    def robust(parameters):
        n, b = parameters[:-1], parameters[-1]
        size, reach = np.linalg.norm(n), eps * np.abs(n).sum()
        return (normal.sf((b - reach) / size) + normal.cdf((b + reach - n @ delta) / (2 * size))) / 2

    start = np.append(delta + np.random.default_rng(seed).normal(0, 0.3, 4), 4.0)
    options = {"maxiter": 20000, "maxfev": 40000, "xatol": 1e-9, "fatol": 1e-12}
    return minimize(robust, start, method="Nelder-Mead", options=options).fun


@pytest.mark.parametrize(
    ("model", "shift", "lam", "place"),
    [(TwoGaussians(28, 2, 18), 13, 0.01, 4.900), (TwoGaussians(28, 3, 4), 16, 0.1, 7.633)],
)
def test_g6_weighted_optimum_can_leave_the_interval(model, shift, lam, place):
    found = minimise(model, shift, lam)
    assert found.outside_interval and found.w == pytest.approx(place, abs=5e-4)
    assert found.w < min(threshold(model), threshold(model, shift))
    assert other_stationary_point(model, shift) > threshold(model)
    grid = np.linspace(-10, 40, 200_001)
    assert grid[np.argmin(error(model, grid) + lam * error(model, grid, shift))] == pytest.approx(found.w, abs=1e-3)


def test_g7_lambda_of_a_hyperplane_need_not_increase():
    model, shift = TwoGaussians(28, 1.02, 10.6), 5.46
    places = np.linspace(threshold(model), threshold(model, shift), 200)[1:-1]
    lams = np.array([lam_of(model, shift, w) for w in places])
    top = int(lams[:100].argmax())
    assert lams[top] == pytest.approx(0.0285, abs=1e-4)
    assert lams[top:150].min() == pytest.approx(0.0101, abs=2e-4)
    before, after = minimise(model, shift, 0.012), minimise(model, shift, 0.015)
    assert before.w == pytest.approx(3.30, abs=5e-3) and after.w == pytest.approx(6.15, abs=5e-3)
    assert before.n_local_minima == after.n_local_minima == 2
    paper = [lam_of(PAPER, 7.0, w) for w in np.linspace(threshold(PAPER), threshold(PAPER, 7.0), 100)[1:-1]]
    assert np.all(np.diff(paper) > 0)


def test_g9_the_mean_of_eps_inf():
    by_quadrature = quad(lambda u: (1 + u) / math.sqrt(1 + u * u), 0, 1)[0]
    assert mean_eps_inf(2) == pytest.approx(by_quadrature, rel=1e-12)
    assert mean_eps_inf(1) == pytest.approx(1, rel=1e-12)
    assert mean_eps_inf(784) == pytest.approx(24.2, abs=0.06)
    assert mean_eps_inf(10**6) == pytest.approx(math.sqrt(3) / 2 * 1000, rel=1e-6)
    points = np.random.default_rng(0).uniform(-1, 1, (20_000, 50))
    points[:, 0] = 1
    ratio = np.abs(points).sum(1) / np.linalg.norm(points, axis=1)
    assert mean_eps_inf(50) == pytest.approx(ratio.mean(), abs=6 * ratio.std() / math.sqrt(len(ratio)))
    found = dimension_bounds(PAPER, 784, 0.5)
    assert found["average_lower"] < found["average_lower_exact"] < found["upper_dim"]


def test_g10_how_near_the_robust_optimum_is():
    for model, share in ((PAPER, 0.87), (TwoGaussians(28, 2, 18), 0.77)):
        standard, robust = threshold(model), threshold(model, 7.0)
        assert (minimise(model, 7.0, 0.25).w - standard) / (robust - standard) == pytest.approx(share, abs=6e-3)


def test_g1_eps_p_by_enumerating_the_corners():
    delta, eps = np.array([3, 1, 0.2, -2]), 0.5
    corners = np.array(list(itertools.product([-eps, eps], repeat=4)))
    assert eps_p(delta, eps, math.inf) == pytest.approx((corners @ delta).max() / np.linalg.norm(delta))
    assert eps_p(delta, eps, 2) == pytest.approx(eps)


@given(
    st.lists(st.floats(-5, 5), min_size=1, max_size=5), st.floats(0, 4), st.sampled_from([1, 1.5, 2, 3, 7, math.inf])
)
@settings(deadline=None, max_examples=40)
def test_best_normals_beat_all_others(delta, eps, p):
    delta = np.array(delta)
    if np.abs(delta).max() < 1e-3 or (norm(delta, p) <= 2 * eps * (1 + 1e-9) and p not in (1, 2, math.inf)):
        return
    found = most_robust(delta, eps, p)
    assert np.linalg.norm(found.normal) == pytest.approx(1)
    assert separation(found.normal, delta, eps, p) == pytest.approx(found.separation, abs=1e-7 * (1 + eps))
    rivals = np.concatenate([np.random.default_rng(0).normal(size=(50, len(delta))), np.eye(len(delta)), delta[None]])
    assert max(separation(n, delta, eps, p) for n in rivals) <= found.separation + 1e-7 * (1 + eps)


@pytest.mark.parametrize("p", [1, 1.3, 2, 4, math.inf])
def test_projection_onto_balls(p):
    x = np.array([3.0, -1.0, 0.5, 0.0])
    y = nearest_in_ball(x, 1.2, p)
    assert norm(y, p) == pytest.approx(1.2)
    rivals = np.random.default_rng(0).normal(size=(2000, 4))
    rivals *= 1.2 / np.array([norm(r, p) for r in rivals])[:, None]
    assert np.linalg.norm(x - y) <= np.linalg.norm(x - rivals, axis=1).min() + 1e-9


def test_empirical_minimiser_by_trying_every_place():
    rng = np.random.default_rng(3)
    one, two = rng.normal(0, 1, 40), rng.normal(2, 2, 40)
    w, wrong = empirical_minimiser(one, two, 0.3)
    places = np.linspace(-6, 9, 20_001)
    counts = ((one[:, None] + 0.3 > places).sum(0) + (two[:, None] - 0.3 <= places).sum(0)).min()
    assert wrong == counts == np.sum(one + 0.3 > w) + np.sum(two - 0.3 <= w)


def test_samples_approach_the_theory():
    rows = simulate(PAPER, 7.0, 10**6, seed=0)
    gaps = [row["adversarial"]["plug_in"]["gap"] for row in rows]
    assert rows[-1]["n"] == 10**6 and gaps[-1] < 0.02 < gaps[0]
    last = rows[-1]["standard"]["empirical"]
    assert (
        last["training_error_ci95"][0] <= math.exp(log_error(PAPER, threshold(PAPER))) <= last["training_error_ci95"][1]
    )


def test_brute_force_minimum_of_the_robust_error_past_the_distance():
    model = TwoGaussians(28.0, 2.0, 18.0)
    best = minimize_scalar(lambda w: error(model, w, 20.0), bounds=(10, 60), method="bounded", options={"xatol": 1e-10})
    assert threshold(model, 20.0) == pytest.approx(best.x, abs=1e-6)
