"""`fast`: what AutoAttack finds, for an eighth of its passes."""

import pytest
import torch
from attack_problems import Counted, digits, digits_model, survivors
from torch import nn

from advtool.attacks import fast
from advtool.attacks.fast import _nearest
from advtool.evaluation.run import evaluate
from advtool.norms import ball

DUAL = {"l2": 2, "linf": 1, "l1": torch.inf}


def many_classes(classes: int = 12, dim: int = 20):
    """A linear model of unequal weights, its inputs, and how far each class's boundary is from each input, per norm."""
    generator = torch.Generator().manual_seed(5)
    model = nn.Sequential(nn.Flatten(), nn.Linear(dim, classes))
    scales = torch.logspace(-1, 1, dim)
    model[1].weight.data = torch.randn(classes, dim, generator=generator) * scales
    model[1].bias.data.zero_()
    x = 0.5 + 0.1 * (torch.rand(64, 1, 1, dim, generator=generator) - 0.5)
    with torch.no_grad():
        logits = model(x)
        y = logits.argmax(1)
        gaps = logits.gather(1, y[:, None]) - logits
        weights = model[1].weight[y][:, None] - model[1].weight[None]
    distances = {norm: gaps / weights.norm(p=q, dim=2).clamp_min(1e-9) for norm, q in DUAL.items()}
    return model, x, y, {norm: found.scatter(1, y[:, None], torch.inf) for norm, found in distances.items()}


@pytest.mark.parametrize("norm", DUAL)
def test_the_nearest_of_all_boundaries_come_first(norm):
    model, x, y, distances = many_classes()
    ranked = _nearest(model, x, y, model(x).detach(), ball(norm, 1), 11)
    assert torch.equal(ranked, distances[norm].argsort(1)[:, :11])


@pytest.mark.parametrize("norm", DUAL)
def test_a_linear_model_of_many_classes_falls_exactly_where_it_can(norm):
    model, x, y, distances = many_classes()
    smallest = distances[norm].min(1).values
    eps = float(smallest.quantile(0.3))
    clear = (smallest / eps - 1).abs() > 1e-2
    found = fast(model, x, y, ball(norm, eps), target_classes=1)
    assert torch.equal(survivors(model, found, y)[clear], (smallest > eps)[clear])


def test_passes_are_those_that_the_model_sees_and_an_eighth_of_those_of_autoattack():
    model, (x, y) = Counted(digits_model()), digits()
    x, y = x[:120], y[:120]
    rows = {}
    for attack in ["fast", "autoattack"]:
        seen = model.images
        (entry,) = evaluate(model, (x, y), adv="l2", eps=0.25, attack=attack, checks=False)["adversarial"]
        forward = sum(row["forward"] for row in entry["breakdown"])
        rows[attack] = (entry["correct"], forward + sum(row["backward"] for row in entry["breakdown"]))
        assert 0 <= model.images - seen - forward <= 8 * len(x)  # what is asked of a model outside of attacks
    assert rows["fast"][0] == rows["autoattack"][0]
    assert 8 * rows["fast"][1] <= rows["autoattack"][1]
