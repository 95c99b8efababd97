"""Projections onto a hyperplane inside the box, against solvers that know nothing of their structure."""

import numpy as np
import pytest
import torch
from minimal_problems import smallest_l0, smallest_l1, smallest_l2, smallest_linf

from advtool.attacks.hyperplane import to_hyperplane
from advtool.norms import ball


def problems(n: int, dim: int, seed: int, reach: float = 0.9):
    """Points, normals with zeros among them, and gaps that the box allows if `reach` is below 1."""
    rng = np.random.default_rng(seed)
    points, normals = rng.random((n, dim)), rng.normal(size=(n, dim)) * (rng.random((n, dim)) > 0.1)
    points = np.where(rng.random((n, dim)) < 0.2, points.round(), points)
    normals[:, 0] = rng.normal(size=n) + 2
    upwards = np.where(normals > 0, normals * (1 - points), -normals * points).sum(1)
    downwards = np.where(normals > 0, normals * points, -normals * (1 - points)).sum(1)
    gaps = reach * rng.random(n) * np.where(rng.random(n) < 0.5, upwards, -downwards)
    return [torch.tensor(each) for each in (points, normals, gaps)]


@pytest.mark.parametrize("norm", ["l2", "linf", "l1", "l0"])
@pytest.mark.parametrize("dim", [2, 3, 10, 50])
def test_moves_are_the_smallest_that_reach_the_hyperplane(norm, dim):
    points, normals, gaps = problems(20, dim, seed=dim)
    moves = to_hyperplane(points, normals, gaps, ball(norm))
    assert torch.allclose((normals * moves).sum(1), gaps, atol=1e-12)
    assert (points + moves).min() >= -1e-15 and (points + moves).max() <= 1 + 1e-15
    solve = {"l2": smallest_l2, "linf": smallest_linf, "l1": smallest_l1, "l0": smallest_l0}[norm]
    best = [solve(*(each.numpy() for each in problem)) for problem in zip(points, normals, gaps, strict=True)]
    assert torch.allclose(ball(norm).norm(moves), torch.tensor(best, dtype=torch.float64), rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("norm", ["l2", "linf", "l1", "l0"])
@pytest.mark.parametrize("dim", [2, 784, 20_000])
def test_float32_reaches_the_hyperplane_as_far_as_float32_can(norm, dim):
    points, normals, gaps = (each.float() for each in problems(30, dim, seed=1, reach=0.999))
    moves = to_hyperplane(points, normals, gaps, ball(norm))
    assert ((normals * moves).double().sum(1) - gaps).abs().max() <= 1e-6 * (1 + gaps.abs().max())
    assert (points + moves).min() >= -1e-7 and (points + moves).max() <= 1 + 1e-6


@pytest.mark.parametrize("norm", ["l2", "linf", "l1", "l0"])
def test_where_the_hyperplane_misses_the_box_the_move_ends_at_its_nearest_corner(norm):
    points, normals, gaps = problems(40, 7, seed=3)
    for far in (gaps.sign() * 1e3, gaps.sign() * 1e300):
        moves = to_hyperplane(points, normals, far, ball(norm))
        corners = torch.where(far[:, None] * normals > 0, 1.0, 0.0)
        assert torch.allclose(points + moves, torch.where(normals == 0, points, corners))


@pytest.mark.parametrize("norm", ["l2", "linf", "l1", "l0"])
@pytest.mark.parametrize("scale", [1e-36, 1e-20, 1e20, 1e36])
def test_the_scale_of_the_normal_does_not_matter(norm, scale):
    points, normals, gaps = (each.float() for each in problems(30, 20, seed=4))
    plain = to_hyperplane(points, normals, gaps, ball(norm))
    assert torch.allclose(to_hyperplane(points, scale * normals, scale * gaps, ball(norm)), plain, atol=1e-5)


@pytest.mark.parametrize("norm", ["l2", "linf", "l1", "l0"])
def test_no_move_for_a_zero_normal_or_a_zero_gap(norm):
    points, normals, gaps = problems(10, 5, seed=5)
    assert (to_hyperplane(points, torch.zeros_like(normals), gaps, ball(norm)) == 0).all()
    assert (to_hyperplane(points, torch.zeros_like(normals), 0 * gaps, ball(norm)) == 0).all()
    assert (to_hyperplane(points, normals, 0 * gaps, ball(norm)) == 0).all()
    assert to_hyperplane(points[:0], normals[:0], gaps[:0], ball(norm)).shape == (0, 5)


@pytest.mark.parametrize("norm", ["l2", "linf", "l1", "l0"])
def test_a_row_does_not_depend_on_the_others(norm):
    points, normals, gaps = problems(50, 30, seed=6)
    whole = to_hyperplane(points, normals, gaps, ball(norm))
    parts = [to_hyperplane(points[i : i + 1], normals[i : i + 1], gaps[i : i + 1], ball(norm)) for i in range(50)]
    assert torch.allclose(whole, torch.cat(parts), rtol=0, atol=1e-15)
