"""Attacks that look for the smallest perturbation, on linear models whose optimum is known in each norm."""

import pytest
import torch
from attack_problems import survivors
from minimal_problems import digits, edge, linear, smallest_l0
from torch import Tensor

from advtool import norms, registry
from advtool.attacks import L0, L2, fab_t, fmn, sdf, sigma_zero
from advtool.ball import L1, Linf

NORMS = ["l2", "linf", "l1"]


def counted(model, x: Tensor, y: Tensor) -> Tensor:
    """How many components have to change, N."""
    with torch.no_grad():
        logits, w = model(x), (model[1].weight[1] - model[1].weight[0]).double().numpy()
    gaps = (logits[:, 0] - logits[:, 1]).double().tolist()
    return torch.tensor([smallest_l0(z, w, gap) for z, gap in zip(x.flatten(1).double().numpy(), gaps, strict=True)])


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("dim", [2, 64, 784])
@pytest.mark.parametrize("problem", [linear, edge])
def test_fmn_finds_the_optimum_on_linear_models(norm, dim, problem):
    if problem is edge and (dim != 64):
        pytest.skip("once where the box binds")
    model, x, y, distances = linear(60, dim) if problem is linear else edge(dim, norm)
    best = distances[norm] if problem is linear else distances
    found = fmn(model, x, y, norms.ball(norm), steps=1000)
    ratio = norms.ball(norm).norm(found - x) / best
    assert not survivors(model, found, y).any()
    assert ratio.min() > 1 - 1e-4 and ratio.max() < 1.01


@pytest.mark.parametrize("dim", [10, 64, 300])
def test_components_are_as_few_as_sorting_says(dim):
    model, x, y, _ = edge(dim, "l2")
    best = counted(model, x, y)
    assert best.float().mean() > 1.2
    found = fab_t(model, x, y, L0())
    assert not survivors(model, found, y).any() and torch.equal(L0().norm(found - x).long(), best)
    for attack in (fmn, sigma_zero):
        near = attack(model, x, y, L0(), steps=300)
        few = L0().norm(near - x)
        assert not survivors(model, near, y).any() and (few >= best).all() and few.mean() < 1.6 * best.float().mean()


def test_sdf_finds_the_optimum_on_linear_models_and_is_near_the_best_on_others():
    model, x, y, distances = linear(60, 64)
    assert (L2().norm(sdf(model, x, y, L2()) - x) / distances["l2"]).max() < 1.01
    model, x, y = digits(100)
    by_sdf, by_fab = (attack(model, x, y, L2()) for attack in (sdf, fab_t))
    assert not survivors(model, by_sdf, y).any()
    assert L2().norm(by_sdf - x).mean() < 1.03 * L2().norm(by_fab - x).mean()


@pytest.mark.parametrize("ball", [L2(), Linf(), L1()])
def test_fmn_is_near_the_best_on_a_curved_model(ball):
    model, x, y = digits(100)
    ours, best = (ball.norm(attack(model, x, y, ball) - x)[survivors(model, x, y)] for attack in (fmn, fab_t))
    assert ours.median() < 1.12 * best.median()


@pytest.mark.parametrize("name", ["fmn", "sigma-zero", "fab-t"])
def test_l0_is_for_attacks_that_look_for_the_smallest(name):
    model, x, y = digits(40)
    ball = L0(1.0)
    found = registry.get(name).plan(ball, {"steps": 100})(model, x, y)
    few = L0().norm(found - x)
    assert few.max() <= 1 and 0.1 < survivors(model, found, y).float().mean() < 0.95
    unbounded = registry.get(name).plan(L0(), {"steps": 100})(model, x, y)
    assert not survivors(model, unbounded, y).any() and L0().norm(unbounded - x).max() > 1


def test_a_radius_of_its_own_for_each_example():
    generator = torch.Generator().manual_seed(0)
    x, z = torch.rand(6, 1, 4, 4, generator=generator), torch.rand(6, 1, 4, 4, generator=generator)
    for norm, radii in (("l2", [0.1, 0.5, 2]), ("linf", [0.1, 0.3, 0.9]), ("l1", [0.5, 2, 9]), ("l0", [0, 3, 16])):
        radius = torch.tensor(radii * 2, dtype=torch.float32)
        found = norms.ball(norm).inside(z, x, radius)
        each = [norms.ball(norm, float(r)).inside(b, a) for a, b, r in zip(x[:, None], z[:, None], radius, strict=True)]
        torch.testing.assert_close(found, torch.cat(each), rtol=0, atol=1e-6)
