"""Attacks in l1 on linear models, whose distances are known with the box and without, and each against the others."""

import pytest
import torch
from attack_problems import Counted, batch, check_contained, digits, digits_model, survivors
from minimal_problems import edge, linear
from torch import nn

from advtool.attacks import L1, apgd, apgd_t, fab, fgsm, pgd, square
from advtool.attacks.square_moves import MOVES


@pytest.fixture(scope="module")
def trained():
    return digits_model(), *digits()


@pytest.mark.parametrize("dim", [2, 64, 784])
@pytest.mark.parametrize("problem", [linear, edge])
def test_auto_pgd_and_fab_reach_the_closed_form_on_linear_models(dim, problem):
    if problem is edge and dim == 2:
        pytest.skip("the box binds for too few")
    model, x, y, distances = linear(100, dim) if problem is linear else edge(dim, "l1")
    distance = distances["l1"] if problem is linear else distances
    if problem is linear:
        assert model[1].weight[0].abs().max() > 1.5 * model[1].weight[0].abs().mean() or dim == 2
    for quantile in (0.2, 0.5, 0.8):
        eps = float(distance.quantile(quantile)) * 1.005
        for attack in (apgd, apgd_t, fab):
            standing = survivors(model, attack(model, x, y, L1(eps)), y)
            clear = (distance / eps - 1).abs() > 5e-3
            assert torch.equal(standing[clear], (distance > eps)[clear]), attack.__name__


def test_stronger_attacks_are_stronger(trained):
    model, x, y = trained
    ball = L1(1.5)
    standing = {
        "fgsm": survivors(model, fgsm(model, x, y, ball), y),
        "pgd": survivors(model, pgd(model, x, y, ball, restarts=3), y),
        "apgd": survivors(model, apgd(model, x, y, ball, restarts=5), y),
        "apgd-t": survivors(model, apgd_t(model, x, y, ball, target_classes=5), y),
        "fab": survivors(model, fab(model, x, y, ball), y),
        "square": survivors(model, square(model, x, y, ball, steps=1000), y),
    }
    left = {name: int(each.sum()) for name, each in standing.items()}
    assert left["fgsm"] > left["apgd"] and 0.1 * len(x) < left["apgd-t"] < 0.9 * len(x)
    assert left["pgd"] < 1.05 * left["apgd-t"] and left["fab"] < 1.05 * left["apgd-t"]
    assert left["square"] < 0.9 * int(survivors(model, x, y).sum())


def test_larger_balls_come_first_and_do_not_count(trained):
    model, x, y = trained
    counted = Counted(model)
    found = apgd(counted, x[:50], y[:50], L1(0.5), steps=20, early_stop=False)
    check_contained(found, x[:50], "l1", 0.5)
    assert counted.images == 50 * (1 + 20 + 3)  # the inputs, the steps, and where each of the three balls begins


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 16, 11), (3, 1, 9), (1, 1, 1), (3, 32, 32)])
def test_square_stays_in_ball_and_box(shape):
    generator, moves = torch.Generator().manual_seed(0), MOVES["l1"]
    inputs = torch.rand(50, *shape, generator=generator)
    x = moves.start(inputs, 3.0, torch.arange(50), 0)
    check_contained(x, inputs, "l1", 3.0 * (1 + 1e-5))
    for area in (0.8, 0.2, 0.01):
        h = moves.side(area * shape[1] * shape[2], min(shape[1:]))
        x = moves.propose(inputs, x, 3.0, h, torch.rand(50, moves.numbers(shape[0]), generator=generator))
        check_contained(x, inputs, "l1", 3.0 * (1 + 1e-5))
    full = L1().norm(torch.maximum(inputs, 1 - inputs)) >= 3
    assert (L1().norm(x - inputs)[full] > 1).all()


def test_one_step_of_training_is_what_is_written_out():
    x, y = batch(6)
    weight = torch.randn(3, 64, generator=torch.Generator().manual_seed(0)).double()
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 3)).double()
    model[1].weight.data, model[1].bias.data = weight, torch.zeros(3).double()
    x = x.double()
    found = pgd(model, x, y, L1(2.0), steps=1, step_size=0.7, random_start=False, keep="last")
    p = (x.flatten(1) @ weight.T).softmax(1)
    gradient = (p - nn.functional.one_hot(y, 3)) @ weight
    room = torch.where(gradient > 0, x.flatten(1) < 1, x.flatten(1) > 0)
    best = (gradient.abs() * room).argmax(1, keepdim=True)
    expected = x.flatten(1).scatter_add(1, best, 0.7 * gradient.gather(1, best).sign()).clamp(0, 1)
    torch.testing.assert_close(found.flatten(1), expected)
