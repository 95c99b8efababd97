"""The ball in l1 and the box together, against a solver of quadratic programmes, and points drawn in the ball."""

import math

import numpy as np
import pytest
import scipy.stats
import torch
from scipy.optimize import brentq, minimize

from advtool.ball import L1


def problem(seed: int) -> tuple[np.ndarray, np.ndarray, float]:
    """(inputs, points, radius): corners, ties, points inside, and components of very different size among them."""
    rng = np.random.default_rng(seed)
    dim = int(rng.integers(1, 12))
    inputs = rng.random(dim)
    if seed % 3 == 0:
        inputs = inputs.round()
    points = inputs + rng.normal(size=dim) * 10.0 ** rng.uniform(-3, 0.5, dim)
    if seed % 4 == 0:
        points = inputs + rng.choice([-0.5, 0.5], dim)
    if seed % 7 == 0:
        points[: dim // 2] = inputs[: dim // 2]
    return inputs, points, float(rng.choice([1e-3, 0.1, 0.7, 3.0]))


def solved(inputs: np.ndarray, points: np.ndarray, eps: float) -> np.ndarray:
    """The nearest point by its optimality conditions: one multiplier for all components, found by bisection."""

    def at(multiplier: float) -> np.ndarray:
        size = np.maximum(np.abs(points - inputs) - multiplier, 0)
        return np.clip(inputs + np.sign(points - inputs) * size, 0, 1)

    def excess(multiplier: float) -> float:
        return float(np.abs(at(multiplier) - inputs).sum()) - eps

    return at(0) if excess(0) <= 0 else at(brentq(excess, 0, np.abs(points - inputs).max(), xtol=1e-15))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_projection_onto_ball_and_box_is_the_nearest_point(dtype):
    for seed in range(1000):
        inputs, points, eps = problem(seed)
        x, z = (torch.tensor(each, dtype=dtype)[None] for each in (inputs, points))
        found = L1(eps).inside(z, x)[0].double().numpy()
        np.testing.assert_allclose(found, solved(x[0].double().numpy(), z[0].double().numpy(), eps), atol=1e-6)


def test_the_reference_is_that_of_a_solver():
    for seed in range(60):
        inputs, points, eps = problem(seed)
        dim = len(inputs)  # of a move its parts up and down, which are ≥ 0
        found = minimize(
            lambda d, y=points - inputs, dim=dim: ((d[:dim] - d[dim:] - y) ** 2).sum(),
            np.zeros(2 * dim),
            bounds=[(0, 1 - each) for each in inputs] + [(0, each) for each in inputs],
            constraints={"type": "ineq", "fun": lambda d, eps=eps: eps - d.sum()},
            method="SLSQP",
            options={"ftol": 1e-14, "maxiter": 1000},
        )
        moved = inputs + found.x[:dim] - found.x[dim:]
        np.testing.assert_allclose(moved, solved(inputs, points, eps), atol=2e-6)


def test_images_of_a_batch_have_nothing_to_do_with_each_other():
    generator = torch.Generator().manual_seed(0)
    x, z = torch.rand(40, 3, 5, 4, generator=generator), torch.randn(40, 3, 5, 4, generator=generator)
    ball = L1(2.0)
    whole = ball.inside(z, x)
    assert torch.allclose(whole, torch.cat([ball.inside(b, a) for a, b in zip(x.split(7), z.split(7), strict=True)]))
    assert whole.min() >= 0 and whole.max() <= 1 and ball.norm(whole - x).max() <= 2 * (1 + 1e-6)
    assert torch.equal(L1().inside(z, x), z.clamp(0, 1)) and torch.equal(L1(0.0).inside(z, x), x)


@pytest.mark.parametrize("dim", [1, 2, 300])
def test_random_perturbations_are_uniform_in_the_ball(dim):
    n = 20_000 if dim < 300 else 500
    drawn = L1(2.0).random(torch.zeros(n, 1, 1, dim), torch.arange(n), 0).double()
    radius = (L1().norm(drawn) / 2).numpy()
    assert scipy.stats.kstest(radius, lambda r: np.clip(r, 0, 1) ** dim).pvalue > 1e-3
    share = (drawn.flatten(1).abs() / L1().norm(drawn)[:, None])[:, 0].numpy()
    if dim > 1:  # uniform on the simplex: the first coordinate is Beta(1, dim − 1)
        assert scipy.stats.kstest(share, scipy.stats.beta(1, dim - 1).cdf).pvalue > 1e-3
    assert abs(float((drawn > 0).double().mean()) - 0.5) < 0.02


def test_a_step_moves_what_can_move_and_gains_most():
    gradient = torch.tensor([5.0, -4.0, 3.0, 0.0]).repeat(50).view(1, 1, 1, 200)
    x = torch.full_like(gradient, 0.5)
    x[0, 0, 0, 0], x[0, 0, 0, 5] = 1, 0  # they are at the edge that they would be moved to
    step = L1(1.0).ascent(gradient, x).flatten()
    assert step[0] == step[5] == 0 and step.abs().sum() == pytest.approx(1)
    assert (step != 0).nonzero().flatten().remainder(4).tolist() == [0, 0]
    assert L1(1.0).ascent(0 * gradient, x).abs().sum() == 0
    assert L1().dual(gradient).item() == 5 and L1().step(gradient).abs().sum() == 1
    assert math.isinf(L1().eps)
