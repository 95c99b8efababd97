"""Carlini and Wagner's attack against closed forms, a brute force where the box binds, and its peers."""

import pytest
import torch
from minimal_problems import digits, edge, linear, quadratic

from advtool.attacks import L2, cw


def distances_of(adversarial, x):
    return (adversarial - x).flatten(1).norm(dim=1)


@pytest.mark.parametrize(
    ("dim", "n"), [(2, 1), (2, 257), (64, 257), (784, 1), pytest.param(784, 257, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("problem", ["linear", "inside", "outside"])
def test_distances_are_minimal(problem, dim, n):
    model, x, y, distances = linear(n, dim) if problem == "linear" else quadratic(n, dim, problem == "inside")
    found = cw(model, x, y, L2(), steps=150, binary_search_steps=8, initial_const=0.1, learning_rate=0.02 / dim**0.5)
    assert (model(found).argmax(1) != y).all()
    ratio = distances_of(found, x) / distances["l2"]
    assert ratio.min() > 1 - 1e-4 and ratio.max() < 1.01


@pytest.mark.parametrize("dim", [10, 64])
def test_distances_are_minimal_where_the_box_binds(dim):
    model, x, y, best = edge(dim, "l2")
    ratio = distances_of(cw(model, x, y, L2(), steps=500, binary_search_steps=8, initial_const=0.1), x) / best
    assert ratio.min() > 1 - 1e-4 and ratio.max() < 1.015


def test_black_and_white_pixels_do_not_stop_it():
    model, x, _ = digits(30)
    y = model(x.round()).argmax(1)
    found = cw(model, x.round(), y, L2(), steps=300, binary_search_steps=3, initial_const=1.0)
    assert (model(found).argmax(1) != y).all()


def test_confidence_is_a_margin_of_logits():
    model, x, y = digits(30)
    distances = []
    for confidence in (0, 1, 3):
        found = cw(model, x, y, L2(), steps=200, binary_search_steps=5, initial_const=0.1, confidence=confidence)
        logits = model(found)
        own = logits.gather(1, y[:, None])[:, 0]
        margin = logits.scatter(1, y[:, None], -torch.inf).amax(1) - own
        misclassified = model(x).argmax(1) != y
        assert (margin[~misclassified] > confidence).all()
        distances.append(float(distances_of(found, x).mean()))
    assert distances == sorted(distances) and distances[2] > 1.2 * distances[0]


def test_not_worse_than_torchattacks():
    torchattacks = pytest.importorskip("torchattacks")
    model, x, y = digits(60)
    theirs = torchattacks.CW(model, c=1, steps=300, lr=0.01)(x, y)
    ours = cw(model, x, y, L2(), steps=300, binary_search_steps=6, initial_const=0.1)
    both = (model(theirs).argmax(1) != y) & (model(ours).argmax(1) != y)
    assert both.float().mean() > 0.9
    assert distances_of(ours, x)[both].mean() < 1.01 * distances_of(theirs, x)[both].mean()


@pytest.mark.slow
def test_not_worse_than_foolbox_with_the_same_settings():
    foolbox = pytest.importorskip("foolbox")
    model, x, y = digits(60)
    peer = foolbox.attacks.L2CarliniWagnerAttack(binary_search_steps=9, steps=1000, stepsize=0.01, initial_const=1e-3)
    theirs = peer.run(foolbox.PyTorchModel(model, (0, 1), device="cpu"), x, foolbox.criteria.Misclassification(y))
    ours = cw(model, x, y, L2())
    both = (model(theirs).argmax(1) != y) & (model(ours).argmax(1) != y)
    assert both.float().mean() > 0.99
    assert distances_of(ours, x)[both].mean() < 1.01 * distances_of(theirs, x)[both].mean()
