"""FAB against closed forms, a brute force where the box binds, and torchattacks."""

import math

import pytest
import torch
from minimal_problems import digits, edge, linear, quadratic

from advtool.attacks import L2, Linf, fab_t, hyperplane
from advtool.ball import ways
from advtool.norms import ball

norms = pytest.mark.parametrize("norm", ["l2", "linf", "l1"])


@norms
@pytest.mark.parametrize("dim", [2, 64, 784])
@pytest.mark.parametrize("n", [1, 257])
@pytest.mark.parametrize("problem", ["linear", "inside", "outside"])
def test_distances_are_minimal(problem, dim, n, norm):
    if norm == "l1" and problem != "linear":
        pytest.skip("projections onto linearised boundaries do not converge on spheres in l1")
    model, x, y, distances = linear(n, dim) if problem == "linear" else quadratic(n, dim, problem == "inside")
    found = fab_t(model, x, y, ball(norm))
    assert (model(found).argmax(1) != y).all()
    ratio = ball(norm).norm(found - x) / distances[norm]
    assert ratio.min() > 1 - 1e-4 and ratio.max() < 1.01


@norms
@pytest.mark.parametrize("dim", [10, 64])
def test_distances_are_minimal_where_the_box_binds(dim, norm):
    model, x, y, best = edge(dim, norm)
    ratio = ball(norm).norm(fab_t(model, x, y, ball(norm)) - x) / best
    assert ratio.min() > 1 - 1e-4 and ratio.max() < 1.01


@pytest.mark.parametrize(("norm", "eps"), [("l2", 0.4), ("linf", 0.08), ("l1", 2.0)])
def test_stopping_at_eps_breaks_the_same_examples_with_less_work(norm, eps):
    model, x, y = digits(150)
    forwards = []
    hook = model.register_forward_pre_hook(lambda _, args: forwards.append(len(args[0])))
    broken, work = [], []
    for stop in (False, True):
        forwards.clear()
        found = fab_t(model, x, y, ball(norm, eps if stop else math.inf), restarts=2)
        work.append(sum(forwards))
        broken.append((model(found).argmax(1) != y) & (ball(norm).norm(found - x) <= eps))
    hook.remove()
    assert torch.equal(*broken) and 0.1 < broken[0].float().mean() < 0.9
    assert work[1] < 0.9 * work[0]


def test_random_restarts_are_keyed_and_only_help():
    model, x, y = digits(40)
    ids = torch.arange(40)
    once, *many = (
        ball("l2").norm(fab_t(model, x, y, L2(), restarts=restarts, ids=ids, seed=seed, steps=10) - x)
        for restarts, seed in [(1, 0), (3, 0), (3, 0), (3, 1)]
    )
    assert (many[0] <= once * 1.002).all() and (many[0] < once * 0.999).any()
    assert torch.equal(many[0], many[1]) and not torch.equal(many[0], many[2])


def test_more_boundaries_only_help():
    model, x, y = digits(60)
    one, all_of_them = (ball("l2").norm(fab_t(model, x, y, L2(), target_classes=k) - x) for k in (1, 9))
    assert (all_of_them <= one * 1.002).all() and (all_of_them < 0.99 * one).any()


def test_patience_costs_next_to_nothing():
    model, x, y = digits(60)
    hasty, patient = (ball("l2").norm(fab_t(model, x, y, L2(), patience=k) - x).mean() for k in (10, 100))
    assert hasty < 1.005 * patient


@pytest.mark.parametrize(("norm", "eps"), [("l2", 0.4), ("linf", 0.08)])
def test_not_worse_than_torchattacks(norm, eps):
    torchattacks = pytest.importorskip("torchattacks")
    model, x, y = digits(60)
    name = {"l2": "L2", "linf": "Linf"}[norm]
    ours = fab_t(model, x, y, ball(norm))
    broken = (model(ours).argmax(1) != y) & (ball(norm).norm(ours - x) <= eps)
    for settings in ({"eps": 10.0}, {"eps": eps, "multi_targeted": True, "n_classes": 10}):
        theirs = torchattacks.FAB(model, norm=name, steps=100, **settings).perturb(x, y)
        both = model(theirs).argmax(1) != y
        theirs_broken = both & (ball(norm).norm(theirs - x) <= eps)
        assert broken.sum() >= theirs_broken.sum()
        assert ball(norm).norm(ours - x)[both].mean() < 1.01 * ball(norm).norm(theirs - x)[both].mean()


@pytest.mark.parametrize("ball", [L2(), Linf()])
def test_hyperplanes_are_reached_by_sorting_as_by_newton(ball, monkeypatch):
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(300, 40, generator=generator, dtype=torch.float64)
    points[:, :5] = points[:, :5].round()  # at the edge of the box
    normals = torch.randn(300, 40, generator=generator, dtype=torch.float64) * torch.rand(40, generator=generator) ** 3
    normals[:, 7], normals[0] = 0, 0
    gaps = torch.randn(300, generator=generator, dtype=torch.float64) * torch.logspace(-3, 2, 300)
    by_newton = hyperplane.to_hyperplane(points, normals, gaps, ball)
    monkeypatch.setattr(ways, "_by_newton", ways._by_sorting)
    torch.testing.assert_close(hyperplane.to_hyperplane(points, normals, gaps, ball), by_newton)
    out_of_reach = (normals * by_newton).sum(1).sub(gaps).abs() > 1e-9
    assert 10 < int(out_of_reach.sum()) < 290
