"""Adversarial pictures at large eps, and the way to them."""

import attack_problems as problems
import pytest
import torch

from advtool.explain.interpolate import first_change, interpolate
from advtool.explain.large_eps import default_eps, large_eps, predict, random_targets
from advtool.norms import ball


def test_random_targets_are_other_classes_each_as_likely_and_keyed():
    labels = torch.arange(30_000) % 10
    ids = torch.arange(30_000) * 7919
    targets = random_targets(labels, ids, 10)
    assert (targets != labels).all() and targets.min() == 0 and targets.max() == 9
    counts = torch.bincount((targets - labels) % 10, minlength=10)[1:]
    chi_square = ((counts - 30_000 / 9) ** 2 / (30_000 / 9)).sum()
    assert chi_square < 26.1  # 99.9% quantile for 8 degrees of freedom
    assert torch.equal(random_targets(labels[5:9], ids[5:9], 10), targets[5:9])
    assert not torch.equal(random_targets(labels, ids, 10, seed=1), targets)
    assert torch.equal(random_targets(labels % 2, ids, 2), 1 - labels % 2)


@pytest.mark.parametrize(("norm", "eps"), [("l2", 2.0), ("linf", 0.3)])
def test_large_eps_reaches_the_target_within_the_ball(norm, eps):
    model, (x, y) = problems.digits_model(), problems.digits()
    x, y = x[:30], y[:30]
    targets = (y + 3) % 10
    found = large_eps(model, x, targets, ball(norm, eps))
    problems.check_contained(found, x, norm, eps)
    predictions, confidence = predict(model, found)
    assert (predictions == targets).float().mean() > 0.9
    with torch.no_grad():
        assert torch.allclose(confidence, model(found).softmax(1).amax(1))
    away = large_eps(model, x, y, ball(norm, eps), targeted=False)
    assert problems.survivors(model, away, y).float().mean() < 0.1


def test_default_radii_are_those_of_the_paper():
    assert default_eps("l2", (1, 28, 28)) == 4 and default_eps("linf", (1, 28, 28)) == 0.3
    assert default_eps("l2", (3, 32, 32)) == 1200 / 255 and default_eps("linf", (3, 32, 32)) == 32 / 255
    assert default_eps("l2", (3, 224, 224)) == 40 and default_eps("linf", (3, 224, 224)) == 0.25


def test_interpolation_is_straight_and_ends_where_it_should():
    start, end = torch.rand(3, 1, 4, 4), torch.rand(3, 1, 4, 4)
    way = interpolate(start, end, 5)
    assert way.shape == (5, 3, 1, 4, 4) and torch.equal(way[0], start) and torch.equal(way[-1], end)
    torch.testing.assert_close(way[1], 0.75 * start + 0.25 * end)
    with pytest.raises(ValueError):
        interpolate(start, end, 1)


def test_first_change_of_the_prediction():
    predictions = torch.tensor([[1, 1, 1], [1, 2, 1], [3, 1, 1]])
    assert first_change(predictions) == [1.0, 0.5, None]
