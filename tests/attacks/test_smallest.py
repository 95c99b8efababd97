"""What all attacks that look for the smallest perturbation promise."""

import functools

import pytest
import torch
from minimal_problems import Curved, digits, linear
from torch import nn

from advtool.attacks import L2, Linf, cw, ddn, fab_t
from advtool.attacks.smallest import Smallest
from advtool.errors import AdvtoolError
from advtool.prepared import plain

ATTACKS = {
    "cw": functools.partial(cw, ball=L2(), steps=100, binary_search_steps=4, learning_rate=0.1, initial_const=1.0),
    "ddn": functools.partial(ddn, ball=L2(), steps=40),
    "fab_t-l2": functools.partial(fab_t, ball=L2(), steps=15, restarts=2),
    "fab_t-linf": functools.partial(fab_t, ball=Linf(), steps=15, restarts=2),
}
attacks = pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)


def batch(n: int = 12, classes: int = 3):
    """Images, and what the untouched model says they are."""
    x = torch.rand(n, 1, 8, 8, generator=torch.Generator().manual_seed(2))
    model = Curved(classes).eval()
    return model, x, model(x).argmax(1)


@attacks
def test_adversarial_examples_are_in_the_box_and_misclassified(attack):
    model, x, y = batch(32)
    adversarial = attack(model, x, y)
    assert adversarial.shape == x.shape and adversarial.dtype == x.dtype and not adversarial.requires_grad
    assert adversarial.min() >= 0 and adversarial.max() <= 1
    assert (model(adversarial).argmax(1) != y).all()
    assert (adversarial - x).flatten(1).norm(dim=1).max() < 4


@attacks
def test_targets_are_reached_and_cost_more(attack):
    model, x, y = batch(32)
    distances = []
    for shift in (1, 2):
        adversarial = attack(model, x, (y + shift) % 3, targeted=True)
        assert (model(adversarial).argmax(1) == (y + shift) % 3).all()
        distances.append((adversarial - x).flatten(1).norm(dim=1))
    untargeted = (attack(model, x, y) - x).flatten(1).norm(dim=1)
    assert (torch.minimum(*distances) >= 0.9 * untargeted).all()


@attacks
def test_examples_that_need_no_attack_are_returned_as_they_are(attack):
    model, x, y = batch()
    assert torch.equal(attack(model, x, (y + 1) % 3), x)
    assert torch.equal(attack(model, x, y, targeted=True), x)
    mixed = torch.where(torch.arange(12) < 6, y, (y + 1) % 3)
    adversarial = attack(model, x, mixed)
    assert torch.equal(adversarial[6:], x[6:])
    assert (model(adversarial).argmax(1) != mixed).all()


@attacks
def test_the_model_is_left_exactly_as_found_also_after_an_error(attack):
    model, x, y = batch()
    model.train()
    model.body[1].eval()
    model.body[0].weight.requires_grad_(False)
    state = {name: value.clone() for name, value in model.state_dict().items()}
    flags = [m.training for m in model.modules()], [p.requires_grad for p in model.parameters()]
    attack(model, x, y)
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    with torch.no_grad():
        model.body[5].bias.fill_(float("nan"))
    with pytest.raises(AdvtoolError, match="not finite"):
        attack(model, x, y)
    assert ([m.training for m in model.modules()], [p.requires_grad for p in model.parameters()]) == flags
    assert all(p.grad is None for p in model.parameters())


@attacks
def test_results_do_not_depend_on_the_batch(attack):
    model, x, y = digits(8)
    keyed = {"ids": torch.arange(100, 108)} if attack.func is fab_t else {}
    whole = attack(model, x, y, **keyed)
    for size in (1, 3):
        parts = [
            attack(model, *(each[i : i + size] for each in (x, y)), **{k: v[i : i + size] for k, v in keyed.items()})
            for i in range(0, 8, size)
        ]
        distances = [(z - x).flatten(1).norm(dim=1) for z in (whole, torch.cat(parts))]
        assert torch.allclose(*distances, rtol=2e-3)


@attacks
def test_success_survives_another_batch_size(attack):
    model, x, y = digits(200)
    adversarial = attack(model, x, y)
    alone = torch.cat([model(each[None]) for each in adversarial]).argmax(1)
    assert torch.equal(alone, model(adversarial).argmax(1)) and (alone != y).all()


class Stubborn(nn.Module):
    """Always says 0, with a margin that a gradient can lower but not overcome."""

    def forward(self, x):
        return torch.stack((2 - x.flatten(1).mean(1), torch.zeros(len(x), device=x.device)), 1)


@attacks
def test_failures_end_at_the_strongest_iterate_not_at_the_original(attack):
    x = torch.full((5, 1, 8, 8), 0.25)
    adversarial = attack(Stubborn(), x, torch.zeros(5, dtype=torch.int64))
    assert (Stubborn()(adversarial)[:, 0] < Stubborn()(x)[:, 0] - 0.05).all()


@attacks
def test_zero_gradients_and_constant_images(attack):
    flat = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
    nn.init.zeros_(flat[1].weight)
    with torch.no_grad():
        flat[1].bias.copy_(torch.tensor([1.0, 0.0, -1.0]))
    for value in (0.0, 0.5, 1.0):
        x, y = torch.full((3, 1, 8, 8), value), torch.tensor([0, 1, 2])
        adversarial = attack(flat, x, y)
        assert adversarial.isfinite().all() and adversarial.min() >= 0 and adversarial.max() <= 1
        assert torch.equal(adversarial[1:], x[1:])
        model = Curved().eval()
        assert (model(attack(model, x, model(x).argmax(1))).argmax(1) != model(x).argmax(1)).all()


@attacks
@pytest.mark.parametrize("scale", [1e-4, 1e4])
def test_saturated_and_tiny_logits(attack, scale):
    model, x, y, distances = linear(20, 64)
    with torch.no_grad():
        model[1].weight *= scale
        model[1].bias *= scale
    settings = {
        cw: {"initial_const": 1 / scale, "steps": 200, "learning_rate": 0.003},
        ddn: {"steps": 200},
        fab_t: {},
    }
    found = attack(model, x, y, **settings[attack.func])
    ball = attack.keywords["ball"]
    assert (model(found).argmax(1) != y).all()
    assert (ball.norm(found - x) / distances[ball.name]).max() < {ddn: 1.01, cw: 1.01, fab_t: 1.002}[attack.func]


@attacks
@pytest.mark.parametrize("classes", [1, 2, 3])
def test_few_classes_and_single_samples(attack, classes):
    model, x, y = batch(1, classes)
    adversarial = attack(model, x, y)
    assert bool((model(adversarial).argmax(1) != y).all()) == (classes > 1)
    assert torch.equal(attack(model, x, y, targeted=True), x)
    assert attack(model, x[:0], y[:0]).shape == (0, 1, 8, 8)


@attacks
def test_double_precision(attack):
    model, x, y = batch()
    adversarial = attack(model.double(), x.double(), y)
    assert adversarial.dtype == torch.float64 and (model(adversarial).argmax(1) != y).all()


@attacks
def test_with_bfloat16_success_still_means_success_in_float32(attack):
    model, x, y = digits(40)
    adversarial, plain = attack(model, x, y, amp=True), attack(model, x, y)
    assert (model(adversarial).argmax(1) != y).all()
    ratio = (adversarial - x).norm() / (plain - x).norm()
    assert 0.9 < ratio < 1.1


def test_a_larger_distance_or_a_lower_margin_is_not_kept():
    model, x, y = nn.Flatten(), torch.tensor([[0.9, 0.1]]).view(1, 1, 1, 2), torch.tensor([0])
    smallest = Smallest(plain(model), x, y, L2())
    rows = smallest.unsettled()
    seen = []
    for first, second in [(0.8, 0.1), (0.85, 0.1), (0.2, 0.6), (0.0, 1.0), (0.5, 0.1), (0.4, 0.5)]:
        z = torch.tensor([[first, second]]).view_as(x)
        smallest.see(rows, z, model(z))
        seen.append([round(value, 3) for value in smallest.inputs.flatten().tolist()])
    assert seen == [[0.8, 0.1], [0.8, 0.1], [0.2, 0.6], [0.2, 0.6], [0.2, 0.6], [0.4, 0.5]]
    smallest.bisect(12)
    assert smallest.distance.item() == pytest.approx((0.5**2 + 0.4**2) ** 0.5 * 0.8 / 0.9, rel=1e-3)
