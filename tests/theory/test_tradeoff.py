"""The trade-off model against sampling, quadrature and a general optimiser; Theorem 2.2 where it fails."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import minimize
from scipy.stats import norm as normal

from advtool.errors import UsageError
from advtool.theory.tradeoff.linear import (
    Features,
    log_accuracy,
    log_accuracy_average,
    no_free_lunch,
    tradeoff_curve,
)
from advtool.theory.tradeoff.report import report
from advtool.theory.tradeoff.svm import hinge, loss, regularised, robust_w1, unit_norm

models = st.builds(Features, st.integers(1, 10_000), st.floats(0.01, 1), st.floats(0.5, 0.99))


@given(st.floats(-60, 60), st.floats(0.02, 20))
@settings(deadline=None, max_examples=40)
def test_hinge_by_quadrature(mean, sd):
    low = max((1 - mean) / sd, -50)
    value = quad(lambda z: max(0.0, 1 - mean - sd * z) * normal.pdf(z), -40, min(low, 40), limit=200, epsabs=0)[0]
    if value > 1e-250:
        assert float(hinge(mean, sd)) == pytest.approx(value, rel=1e-6, abs=1e-200)
    assert hinge(mean, sd) >= max(0, 1 - mean) * (1 - 1e-12)
    assert hinge(mean, 0.0) == max(0, 1 - mean)


def test_hinge_is_smooth_across_its_cases():
    for a in (-30.0, -1.0, 0.0):
        below, above = (float(hinge(1 - (a + step), 1.0)) for step in (-1e-9, 1e-9))
        assert above / below == pytest.approx(1, rel=1e-7)


@given(models, st.floats(0, 2), st.floats(0, 1))
@settings(deadline=None)
def test_theorem_2_1_bounds_every_linear_rule(model, t, spread):
    eps = 2 * model.eta
    for rule in (t, math.inf):
        s = 1 + spread * (math.sqrt(model.d) - 1)
        standard = math.exp(log_accuracy(model, rule, 0.0, s))
        adversarial = math.exp(log_accuracy(model, rule, eps, s))
        assert adversarial <= no_free_lunch(model, eps, standard) + 1e-9
        assert adversarial <= standard + 1e-12
    assert no_free_lunch(model, 1.99 * model.eta, 0.9) is None


def test_the_strong_feature_attains_the_bound():
    model = Features(100, 0.04, 0.7)
    assert no_free_lunch(model, 0.08, 0.7) == pytest.approx(0.7)
    assert math.exp(log_accuracy(model, math.inf, 0.999)) == pytest.approx(0.7)
    assert log_accuracy(model, math.inf, 1.0) == -math.inf


def test_accuracies_by_attacking_samples():
    model, t, eps, rng = Features(25, 0.4, 0.8), 1.3, 0.3, np.random.default_rng(0)
    x = np.column_stack([np.where(rng.random(100_000) < 0.8, 1, -1), rng.normal(0.4, 1, (100_000, 25))])
    w = np.concatenate([[t], np.full(25, 1 / 5)])
    reached = np.mean((x - eps * np.sign(w)) @ w > 0)
    assert math.exp(log_accuracy(model, t, eps)) == pytest.approx(reached, abs=0.008)
    assert log_accuracy_average(model, eps) == pytest.approx(float(log_accuracy(model, 0.0, eps)), rel=1e-12)


@given(models, st.floats(0, 0.5))
@settings(deadline=None, max_examples=30)
def test_the_curve_is_a_front(model, eps):
    curve = tradeoff_curve(model, eps)
    assert np.all(np.diff(curve["standard_accuracy"]) > 0)
    assert np.all(np.diff(curve["adversarial_accuracy"]) < 0)
    assert curve["adversarial_accuracy"][0] >= math.exp(float(log_accuracy(model, 0.5, eps))) - 1e-9


def test_fewer_weak_features_can_help():
    model = Features(10_000, 0.04, 0.7)
    equal, all_linear = tradeoff_curve(model, 0.08), tradeoff_curve(model, 0.08, all_linear=True)
    grid = np.linspace(0.75, 0.95, 50)
    gain = np.interp(grid, all_linear["standard_accuracy"], all_linear["adversarial_accuracy"]) - np.interp(
        grid, equal["standard_accuracy"], equal["adversarial_accuracy"]
    )
    assert gain.min() > 0 and gain.max() == pytest.approx(0.063, abs=0.01)


@given(st.integers(1, 2000), st.floats(0.02, 1), st.floats(0.5, 0.98), st.floats(0, 1.5), st.floats(0.001, 2))
@settings(deadline=None, max_examples=40)
def test_no_weights_beat_the_regularised_svm(d, eta, p, share, lam):
    model, eps = Features(d, eta, p), share * eta
    found = regularised(model, eps, lam)
    rivals = np.random.default_rng(0).exponential(1, (2000, 2)) * np.geomspace(1e-3, 10, 2000)[:, None]
    rivals = np.concatenate([rivals, [found.w1, found.v] + np.random.default_rng(1).normal(0, 1e-3, (500, 2))])
    assert found.loss <= loss(model, rivals[:, 0], rivals[:, 1], eps, lam).min() + 1e-12


@given(st.integers(1, 2000), st.floats(0.02, 1), st.floats(0.5, 0.98), st.floats(0, 1.5))
@settings(deadline=None, max_examples=40)
def test_unit_norm_svm_on_a_grid(d, eta, p, share):
    model, eps = Features(d, eta, p), share * eta
    angles = np.linspace(-math.pi, math.pi, 20_001)
    found = unit_norm(model, eps)
    assert found.loss <= loss(model, np.sin(angles), np.cos(angles), eps).min() + 1e-12
    assert found.w1**2 + found.v**2 == pytest.approx(1)


@given(st.floats(0.5, 0.99), st.floats(0, 0.99), st.floats(0.001, 3))
@settings(deadline=None)
def test_strong_feature_alone(p, eps, lam):
    def objective(w1):
        return p * np.maximum(0, 1 - w1 + eps * w1) + (1 - p) * np.maximum(0, 1 + w1 + eps * w1) + lam / 2 * w1**2

    found = robust_w1(p, eps, lam)
    grid = np.linspace(0, 1.2 / (1 - eps), 5001)
    assert objective(found) <= objective(grid).min() + 1e-12


def test_t1_adversarial_svm_collapses_to_zero():
    """Theorem 2.2 promises 70% against any ε < 1; training at ε ≥ 2p − 1 gives w = 0, at d = 100 already for ε = 2η."""
    found = report(dim=100, eta=0.4, eps=0.8, lam=0.0)
    assert found["svm_adversarial"]["w1"] == found["svm_adversarial"]["v"] == 0
    assert found["svm_adversarial"]["standard_accuracy"] is None
    assert not found["theorem_2_2_holds"]
    unit = report(dim=100, eta=0.4, eps=0.8)["svm_adversarial"]
    assert unit["loss"] == pytest.approx(1.4) and unit["loss_at_zero"] == pytest.approx(1.0)
    model = Features(100, 0.4, 0.7)
    best = minimize(lambda x: float(loss(model, x[0], x[1], 0.8)), [0.5, 0.5], method="Nelder-Mead")
    assert 1 <= best.fun < 1 + 1e-3 and np.abs(best.x).max() < 1e-3
    for d, holds in ((400, False), (402, True)):
        assert report(dim=d)["theorem_2_2_holds"] is holds
    assert report(dim=10_000)["svm_adversarial"]["standard_accuracy"] == pytest.approx(0.7)


def test_t5_the_standard_svm_leans_on_weak_features():
    for d, eta, p in ((100, 0.4, 0.7), (100, 0.5, 0.7), (100, 3.0, 0.7), (100, 0.4, 0.9), (100, 0.4, 0.999)):
        found = unit_norm(Features(d, eta, p), 0.0)
        assert found.w1 < 1 / math.sqrt(2) < found.v
    entry = report()["svm_standard"]
    assert entry["standard_accuracy"] > 0.99 and entry["adversarial_accuracy"] == pytest.approx(3.92e-5, rel=2e-3)


@pytest.mark.parametrize(
    ("kwargs", "word"),
    [
        ({"dim": 0}, "dim"),
        ({"eta": 0.0}, "eta"),
        ({"p": 1.0}, "p"),
        ({"p": 0.4}, "p"),
        ({"eps": -1.0}, "eps"),
        ({"lam": -1.0}, "lam"),
    ],
)
def test_bad_values(kwargs, word):
    with pytest.raises(UsageError, match=f"^{word}:"):
        report(**kwargs)
