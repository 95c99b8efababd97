"""The Bernoulli model against enumeration, another optimiser and the recipe run again."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.stats import binom

from advtool.errors import UsageError
from advtool.theory.bernoulli import error as errors
from advtool.theory.bernoulli.averaged import repaired, theorem1
from advtool.theory.bernoulli.error import linear_error
from advtool.theory.bernoulli.lattice import Terms, lattice_tails
from advtool.theory.bernoulli.threshold import population
from advtool.theory.bernoulli.training import table1, train

biases = st.lists(st.floats(0, 0.5), min_size=1, max_size=8)


def enumerated(u, tau, eps):
    total = 0.0
    for s in itertools.product([1, -1], repeat=len(u)):
        if np.dot(u, s) <= eps * np.abs(u).sum() + 1e-12 * np.abs(u).sum():
            total += np.prod([0.5 + t if x > 0 else 0.5 - t for x, t in zip(s, tau, strict=True)])
    return total


@given(biases, st.integers(0, 2**32), st.floats(0, 1.2), st.booleans())
@settings(deadline=None, max_examples=80)
def test_errors_by_enumeration(tau, seed, eps, whole):
    rng = np.random.default_rng(seed)
    u = rng.integers(-4, 6, len(tau)).astype(float) if whole else rng.normal(size=len(tau))
    found = linear_error(u, tau, eps)
    assert math.exp(found.log_error) == pytest.approx(enumerated(u, tau, eps), rel=1e-9, abs=1e-13)


def test_methods_agree(monkeypatch):
    rng = np.random.default_rng(0)
    u, tau = rng.normal(size=14) + 0.5, rng.uniform(0, 0.5, 14)
    by_enumeration = linear_error(u, tau, 0.1)
    monkeypatch.setattr(errors, "_ENUMERATE", 0)
    by_halves = linear_error(u, tau, 0.1)
    monkeypatch.setattr(errors, "_MEET", 0)
    monkeypatch.setattr(errors, "_BRACKET_WORK", 4e6)
    bracket = linear_error(u, tau, 0.1)
    methods = [found.method for found in (by_enumeration, by_halves, bracket)]
    assert methods == ["enumeration", "meet in the middle", "bracket"]
    assert by_halves.log_error == pytest.approx(by_enumeration.log_error, rel=1e-12)
    assert bracket.log_low <= by_enumeration.log_error <= bracket.log_high
    assert bracket.log_high - bracket.log_low < 0.05


def test_a_million_features_and_the_far_tail():
    found = linear_error(1.0, np.full(10**6, 0.001), 0.0)
    assert found.log_error == pytest.approx(binom.logcdf(500_000, 10**6, 0.501), rel=1e-6)
    far = linear_error(1.0, np.full(4000, 0.3), 0.0)
    j = np.arange(2000, 4001)
    assert far.log_error == pytest.approx(np.logaddexp.reduce(binom.logpmf(j, 4000, 0.2)), rel=1e-9)
    mixed = linear_error(1.0, [0.3] * 3999 + [0.3000001], 0.0)
    assert mixed.method == "lattice" and mixed.log_error == pytest.approx(far.log_error, rel=1e-5)


@pytest.mark.parametrize("needed", [40, 75, 130, 190])
def test_bits_that_are_alike_are_one_term(needed):
    groups = ((1, 0.3, 60), (2, 0.05, 45), (3, 0.6, 5))
    weights, flip = (np.concatenate([[group[i]] * group[2] for group in groups]) for i in (0, 1))
    table = np.ones(1)
    for weight, p in zip(weights, flip, strict=True):
        one = np.zeros(weight + 1)
        one[0], one[weight] = 1 - p, p
        table = np.convolve(table, one)
    assert len(Terms.of(weights, flip).counts) == 3
    (found,) = lattice_tails(Terms.of(weights, flip), needed)
    assert found == pytest.approx(math.log(table[needed:].sum()) if needed < len(table) else -math.inf, rel=1e-10)


def test_a_million_features_of_a_few_biases():
    tau = np.repeat([0.001, 0.0, 0.002], [500_000, 300_000, 200_000])
    found = linear_error(1.0, tau, 0.0)
    assert found.method == "lattice"
    low = binom.cdf(np.arange(10**6 + 1), 10**6, 0.5 + (0.5e3 + 0.4e3) / 1e6)[500_000]  # of the mean bias
    assert found.log_error == pytest.approx(math.log(low), rel=1e-5)


def test_classes_that_are_far_apart_have_a_threshold():
    found = population(np.repeat([0.1, 0.2, 0.3], 100_000), 0.5)
    assert found.threshold == pytest.approx(0.25, abs=1e-6)


def test_many_features_of_any_weight_fall_back_to_the_normal_limit():
    rng = np.random.default_rng(0)
    u, tau = rng.uniform(0.5, 1, 20_000), rng.uniform(0, 0.01, 20_000)
    found = linear_error(u, tau, 0.0)
    assert found.method == "clt" and found.log_high is None and found.log_low is None


def test_ties_and_zero_weights_are_errors():
    assert math.exp(linear_error([1, 1], [0.5, 0.0], 0.0).log_error) == pytest.approx(0.5)  # tie at s = (1, −1)
    assert linear_error([0, 0], [0.5, 0.5], 0.0).log_error == 0
    assert math.exp(linear_error([1], [0.5], 1.0).log_error) == 1


@pytest.mark.parametrize("tau", [[0.6], [-0.1], [math.nan], []])
def test_biases_are_checked(tau):
    with pytest.raises(UsageError, match="tau"):
        linear_error(1.0, np.array(tau))


@given(biases, st.integers(1, 1000))
@settings(deadline=None)
def test_the_repaired_bound_is_stronger(tau, n):
    paper, better = theorem1(tau, n), repaired(tau, n)
    assert better["bound"] <= paper["bound"] + 1e-12
    assert better["probability"] >= paper["probability"] - 1e-12
    assert math.exp(linear_error(tau, tau).log_error) <= math.exp(-2 * np.sum(np.square(tau))) + 1e-9 or not any(tau)


def test_theorem1_holds_when_tried():
    tau, n, rng = np.array([0.2, 0.3, 0.35, 0.4] * 3), 5, np.random.default_rng(1)
    better = repaired(tau, n)
    z = 2 * rng.binomial(n, 0.5 + tau, size=(300, 12)) / n - 1
    good = [math.exp(linear_error(row, tau).log_error) <= better["bound"] for row in z]
    assert np.mean(good) >= better["probability"] - 0.05


@pytest.mark.parametrize("mix", [0.3, 0.5, 1.0])
def test_threshold_splits_the_support_exactly(mix):
    tau, eps = np.linspace(0.02, 0.4, 8), 0.4
    found = population(tau, eps, mix)
    assert found.method == "enumeration"
    np.testing.assert_array_equal(found.weights > 1e-9, tau > found.threshold)
    assert mix * eps / 2 - 1e-12 <= found.threshold <= eps / 2 + 1e-12
    s = np.array(list(itertools.product([1, -1], repeat=8)))
    p = np.prod(0.5 + s * tau, axis=1)

    def loss(u):
        m = s @ u
        return p @ ((1 - mix) * np.logaddexp(0, -m) + mix * np.logaddexp(0, eps * np.abs(u).sum() - m))

    other = minimize(
        loss, found.weights + 0.05, bounds=[(0, None)] * 8, method="L-BFGS-B", options={"ftol": 1e-15, "gtol": 1e-10}
    )
    np.testing.assert_allclose(found.weights, other.x, atol=2e-4)
    assert loss(found.weights) <= other.fun + 1e-13


def test_normal_threshold_by_another_optimiser():
    tau, eps, mix = np.linspace(0, 0.25, 30), 0.4, 0.5
    found = population(tau, eps, mix)
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    weights = weights / weights.sum()

    def loss(u):
        m = 2 * u @ tau + np.sqrt(u**2 @ (1 - 4 * tau**2)) * nodes
        return weights @ ((1 - mix) * np.logaddexp(0, -m) + mix * np.logaddexp(0, eps * u.sum() - m))

    other = minimize(
        loss,
        np.full(30, 0.1),
        bounds=[(0, None)] * 30,
        method="L-BFGS-B",
        options={"ftol": 1e-14, "maxiter": 5000, "maxfun": 10**6},
    )
    np.testing.assert_allclose(found.weights, other.x, atol=5e-3 * other.x.max())
    assert found.method == "normal"


def test_threshold_values():
    by_dim = [population(np.linspace(0, 0.25, d), 0.5).threshold for d in (25, 100, 400, 1600)]
    assert by_dim == pytest.approx([0.160, 0.190, 0.215, 0.231], abs=6e-4)
    radii = (0.1, 0.2, 0.3, 0.4, 0.5)
    quarter = [population(np.linspace(0, 0.25, 100), eps).threshold for eps in radii]
    assert quarter == pytest.approx([0.045, 0.095, 0.138, 0.170, 0.190], abs=6e-4)
    fifth = [population(np.linspace(0, 0.20, 100), eps).threshold for eps in radii]
    assert fifth == pytest.approx([0.041, 0.086, 0.119, 0.142, 0.159], abs=6e-4)


def test_threshold_at_the_ends():
    tau = np.linspace(0, 0.25, 100)
    assert population(tau, 0.0).threshold == 0
    assert population(tau, 0.5, mix=0.0).threshold == 0
    assert population(tau, 0.3, mix=1.0).threshold == pytest.approx(0.15)
    assert not population(tau, 0.5, mix=1.0).weights.any()  # B6: only w = 0
    assert population([0.1, 0.5], 0.4).weights is None and population([0.1, 0.5], 0.4).threshold == 0.2
    assert np.all(np.isfinite(population([0.5] * 20, 1.5).weights))


def test_the_recipe_against_a_plain_one():
    """The same steps, one classifier at a time with autograd-free textbook Adam."""
    tau, eps = np.linspace(0, 0.25, 10), 0.3
    fast = train(tau, [eps], seed=4, samples=500)
    rng = np.random.default_rng(4)
    s = np.where(rng.random((500, 10), dtype=np.float32) < 0.5 + tau.astype(np.float32), 1.0, -1.0)
    u, m, v = np.zeros(10), np.zeros(10), np.zeros(10)
    for step in range(1, 101):
        attacked = s - eps * np.sign(u) if step % 2 else s
        gradient = -(attacked / (1 + np.exp(attacked @ u))[:, None]).sum(0)
        m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
        u = u - 0.01 * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)
    np.testing.assert_allclose(fast.weights[:, 1], u, atol=2e-4)


# mean and sd in %: standard training attacked, robust training clean and attacked
TABLE = {
    0.25: {
        0.1: (97.65, 0.14, 99.86, 0.04, 98.34, 0.09),
        0.2: (84.79, 0.25, 99.81, 0.05, 92.46, 0.23),
        0.3: (51.91, 0.54, 99.64, 0.05, 78.71, 0.44),
        0.4: (17.07, 0.52, 99.20, 0.08, 59.34, 0.35),
        0.5: (2.34, 0.24, 98.63, 0.12, 39.31, 0.47),
    },
    0.20: {
        0.1: (92.34, 0.31, 99.08, 0.08, 93.89, 0.27),
        0.2: (69.22, 0.65, 98.67, 0.14, 80.32, 0.36),
        0.3: (32.97, 0.52, 97.73, 0.17, 60.42, 0.49),
        0.4: (7.98, 0.39, 96.45, 0.23, 40.08, 0.40),
        0.5: (0.80, 0.09, 95.18, 0.26, 22.41, 0.77),
    },
}


@pytest.mark.slow
@pytest.mark.parametrize("tau_max", TABLE)
def test_table_1(tau_max):
    rows = {row["eps"]: row for row in table1(np.linspace(0, tau_max, 100), list(TABLE[tau_max]), seeds=10)}
    for eps, expected in TABLE[tau_max].items():
        for i, key in enumerate(("standard_robust", "robust_standard", "robust_robust")):
            mean, sd = expected[2 * i : 2 * i + 2]
            assert 100 * rows[eps][key]["mean"] == pytest.approx(mean, abs=2 * sd), (eps, key)


def test_two_seeds_of_table_1():
    (_, row) = table1(np.linspace(0, 0.25, 100), [0.3], seeds=2)
    assert 100 * row["standard_robust"]["mean"] == pytest.approx(51.91, abs=3 * 0.54)
    assert 100 * row["robust_robust"]["mean"] == pytest.approx(78.71, abs=3 * 0.44)
