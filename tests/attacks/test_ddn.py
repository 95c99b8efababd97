"""DDN against closed forms, a brute force where the box binds, and foolbox."""

import numpy as np
import pytest
import torch
from minimal_problems import digits, edge, linear, quadratic
from torch import nn

from advtool.attacks import L2, ddn


def distances_of(adversarial, x):
    return (adversarial - x).flatten(1).norm(dim=1)


@pytest.mark.parametrize("dim", [2, 64, 784])
@pytest.mark.parametrize("n", [1, 257])
@pytest.mark.parametrize("problem", ["linear", "inside", "outside"])
def test_distances_are_minimal(problem, dim, n):
    model, x, y, distances = linear(n, dim) if problem == "linear" else quadratic(n, dim, problem == "inside")
    found = ddn(model, x, y, L2(), steps=300, init_norm=0.1)
    assert (model(found).argmax(1) != y).all()
    ratio = distances_of(found, x) / distances["l2"]
    assert ratio.min() > 1 - 1e-4 and ratio.max() < 1.01


@pytest.mark.parametrize("dim", [10, 64])
def test_distances_are_minimal_where_the_box_binds(dim):
    model, x, y, best = edge(dim, "l2")
    ratio = distances_of(ddn(model, x, y, L2(), steps=500), x) / best
    assert ratio.min() > 1 - 1e-4 and ratio.max() < 1.01


def test_equals_foolbox():
    foolbox = pytest.importorskip("foolbox")
    model, x, y = digits(100)
    peer = foolbox.attacks.DDNAttack(steps=100)
    theirs = peer.run(foolbox.PyTorchModel(model, (0, 1), device="cpu"), x, foolbox.criteria.Misclassification(y))
    ours = ddn(model, x, y, L2(), steps=100)
    both = (model(theirs).argmax(1) != y) & (model(ours).argmax(1) != y)
    assert both.float().mean() > 0.99
    ratio = distances_of(ours, x)[both].mean() / distances_of(theirs, x)[both].mean()
    assert 0.98 < ratio < 1.01


def test_a_saturated_softmax_does_not_hide_the_gradient():
    model, x, y = digits(30)
    louder = nn.Sequential(model, Scale(1e4))
    ratio = distances_of(ddn(louder, x, y, L2()), x).mean() / distances_of(ddn(model, x, y, L2()), x).mean()
    assert float(ratio) == pytest.approx(1, abs=0.03)


class Scale(nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return self.factor * x


def test_the_norm_follows_the_schedule_of_the_paper():
    """One dimension, started at distance 0.4 with steps to the right: written out in NumPy."""
    x, boundary, steps, gamma, epsilon = 0.1, 0.3, 25, 0.05, 0.4
    delta, best = 0.0, np.inf
    for k in range(steps + 1):
        success = x + delta > boundary
        best = min(best, delta) if success else best
        alpha = 0.01 + 0.99 * (1 + np.cos(np.pi * k / steps)) / 2
        epsilon = min(epsilon * (1 - gamma if success else 1 + gamma), 0.9)
        delta = np.clip(x + epsilon * np.sign(delta + alpha), 0, 1) - x
    model = nn.Sequential(nn.Flatten(), nn.Linear(1, 2))
    with torch.no_grad():
        model[1].weight.copy_(torch.tensor([[-5.0], [5.0]]))
        model[1].bias.copy_(torch.tensor([1.5, -1.5]))
    found = ddn(model, torch.full((1, 1, 1, 1), x), torch.tensor([0]), L2(), steps=steps, gamma=gamma, init_norm=0.4)
    assert float(found) - x == pytest.approx(best, rel=1e-5)
