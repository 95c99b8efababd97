"""Each way to look robust without being it is flagged, and for the right reason."""

import pytest
import torch
from torch import nn

from advtool.attacks import L2
from advtool.data.arrays import load
from advtool.data.sources import resolve
from advtool.device import Settings
from advtool.evaluation.flags import red_flags
from advtool.evaluation.measure import accuracies
from advtool.registry import ensemble, get

SETTINGS = Settings(torch.device("cpu"))


@pytest.fixture(scope="module")
def images():
    return load(resolve("digits", "test"), 120)


@pytest.fixture(scope="module")
def honest() -> nn.Module:
    """A linear model of the digits, whose gradients hide nothing."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    optimizer = torch.optim.Adam(net.parameters(), 0.02)
    train = load(resolve("digits", "train"))
    x, y = torch.tensor(train.pixels).float() / 255, torch.tensor(train.labels)
    for _ in range(80):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        optimizer.step()
    return net.eval()


class Wrapped(nn.Module):
    def __init__(self, net, before=lambda x: x, after=lambda logits: logits):
        super().__init__()
        self.net, self.before, self.after = net, before, after

    def forward(self, x):
        return self.after(self.net(self.before(x)))


def names(model, images, eps: float = 0.3) -> set[str]:
    report = accuracies(model, images, [get("pgd").plan(L2(eps), {"steps": 10})], SETTINGS)
    return {flag["name"] for flag in red_flags(model, images, report, (), SETTINGS)}


def test_an_honest_model_raises_no_flag(honest, images):
    assert names(honest, images) == set()


def test_saturated_logits(honest, images):
    assert "zero-gradients" in names(Wrapped(honest, after=lambda logits: logits * 1e4), images)


def test_a_rounding_layer(honest, images):
    found = names(Wrapped(honest, before=lambda x: (8 * x).round() / 8), images)
    assert {"zero-gradients", "unbounded"} <= found


def test_a_random_layer(honest, images):
    found = names(Wrapped(honest, before=lambda x: x + 0.1 * torch.randn_like(x)), images)
    assert "random-outputs" in found and "batch-dependent" not in found


def test_probabilities_for_logits(honest, images):
    assert "probabilities" in names(Wrapped(honest, after=lambda logits: (logits / 0.1).softmax(1)), images)


def test_batch_statistics(honest, images):
    norm = nn.BatchNorm1d(10, track_running_stats=False)
    assert "batch-dependent" in names(Wrapped(honest, after=norm), images)


def test_batch_norm_left_in_training_mode(honest, images):
    model = Wrapped(nn.Sequential(honest, nn.BatchNorm1d(10)).train())
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert "training-mode" in names(model, images)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_accuracy_at_chance(images):
    torch.manual_seed(3)
    guess = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    nn.init.zeros_(guess[1].weight)
    assert "chance" in names(guess, images)


def test_an_attack_that_has_not_converged(honest, images):
    entry = {"adv": "l2", "eps": 0.3, "eot": 1, "attack": "pgd"}
    bumpy = Wrapped(honest, before=lambda x: x + 0.02 * torch.sin(300 * x))
    report = {"clean": accuracies(bumpy, images, [], SETTINGS)["clean"], "adversarial": [entry]}
    assert "no-plateau" in {flag["name"] for flag in red_flags(bumpy, images, report, (), SETTINGS)}


def test_a_black_box_attack_that_wins(honest, images):
    attacks = ensemble("pgd,square")
    rows = [{"attack": "pgd", "attacked": 100, "broken": 2}, {"attack": "square", "attacked": 98, "broken": 40}]
    entry = {"adv": "l2", "eps": 0.3, "eot": 1, "attack": "pgd,square", "breakdown": rows}
    report = {"clean": accuracies(honest, images, [], SETTINGS)["clean"], "adversarial": [entry]}
    (flag,) = red_flags(honest, images, report, attacks, SETTINGS)
    assert flag["name"] == "black-box" and "40 of 98" in flag["detail"]
    rows[1]["broken"] = 1
    assert red_flags(honest, images, report, attacks, SETTINGS) == []


def test_gradients_that_are_no_numbers(honest, images):
    class Broken(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, gradient):
            return gradient * float("nan")

    found = names(Wrapped(honest, before=Broken.apply), images)
    assert "nan-gradients" in found
