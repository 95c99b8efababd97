"""Attributions against finite differences, closed forms and Captum."""

import attack_problems as problems
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from advtool.errors import AdvtoolError
from advtool.explain import saliency
from advtool.prepared import LIKE


class Smooth(nn.Module):
    """Differentiable everywhere, in float64."""

    def __init__(self):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(3)
            layers = nn.Conv2d(1, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(144, 3)
        self.net = nn.Sequential(*layers).double()

    def forward(self, x):
        return self.net(x)


@pytest.fixture(scope="module")
def digits():
    model = problems.digits_model()
    x, y = problems.digits()
    return model, x[:20], y[:20]


@pytest.mark.parametrize("of", ["loss", "logit"])
def test_gradient_is_the_finite_difference(of):
    model, (x, y) = Smooth(), problems.batch(4)
    x, step = x.double(), 1e-6

    def quantity(x):
        logits = model(x)
        return F.cross_entropy(logits, y, reduction="none") if of == "loss" else logits.gather(1, y[:, None])[:, 0]

    found = saliency.gradient(model, x, y, of)
    with torch.no_grad():
        for pixel in [(0, 0), (3, 5), (7, 7)]:
            direction = torch.zeros_like(x)
            direction[:, 0, pixel[0], pixel[1]] = step
            difference = (quantity(x + direction) - quantity(x - direction)) / (2 * step)
            assert torch.allclose(found[:, 0, pixel[0], pixel[1]], difference, rtol=1e-6, atol=1e-9)


def test_gradient_of_the_loss_is_that_of_the_cross_entropy_and_keeps_its_direction_when_the_model_is_sure():
    model, (x, y) = problems.Curved().eval(), problems.batch()
    inputs = x.clone().requires_grad_(True)
    (expected,) = torch.autograd.grad(F.cross_entropy(model(inputs), y, reduction="sum"), inputs)
    torch.testing.assert_close(saliency.gradient(model, x, y), expected, rtol=1e-5, atol=1e-7)
    sure = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
    nn.init.constant_(sure[1].bias, 0)
    sure[1].bias.data[1] = 22.0
    labels = torch.ones(len(x), dtype=torch.int64)
    double = nn.Sequential(nn.Flatten(), nn.Linear(64, 3)).double()
    double.load_state_dict({name: value.double() for name, value in sure.state_dict().items()})
    inputs = x.double().requires_grad_(True)
    (exact,) = torch.autograd.grad(F.cross_entropy(double(inputs), labels, reduction="sum"), inputs)
    torch.testing.assert_close(saliency.gradient(sure, x, labels).double(), exact, rtol=1e-4, atol=1e-14)
    inputs = x.clone().requires_grad_(True)
    (plain,) = torch.autograd.grad(F.cross_entropy(sure(inputs), labels, reduction="sum"), inputs)
    assert (plain - exact).norm() > 0.1 * exact.norm()  # what is avoided


def test_integrated_gradients_of_a_linear_model_are_weight_times_difference(digits):
    model, x, y, _ = problems.linear_problem(6, 9)
    found = saliency.integrated_gradients(model, x, y, baseline=0.2, steps=3)
    torch.testing.assert_close(found.flatten(1), model[1].weight[y] * (x.flatten(1) - 0.2), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("of", ["loss", "logit"])
def test_integrated_gradients_are_complete(digits, of):
    model, x, y = digits
    found = saliency.integrated_gradients(model, x, y, of)
    with torch.no_grad():
        ends = [
            F.cross_entropy(logits, y, reduction="none") if of == "loss" else logits[torch.arange(len(y)), y]
            for logits in (model(x), model(torch.zeros_like(x)))
        ]
    wanted = ends[0] - ends[1]
    assert ((found.flatten(1).sum(1) - wanted).abs() <= 0.01 * wanted.abs()).all()
    assert saliency.completeness_error(model, x, y, found, of).max() <= 0.01


def test_integrated_gradients_take_more_points_where_they_need_them(digits):
    model, x, y = digits
    counted = problems.Counted(model)
    coarse = saliency.integrated_gradients(model, x, y, steps=2)
    assert saliency.completeness_error(model, x, y, coarse).max() > 0.01
    saliency.integrated_gradients(counted, x, y, steps=5)
    assert counted.images == 5 * len(x) + 4 * LIKE + LIKE // 2  # a look whether it can be driven faster


def test_agreement_with_captum(digits, monkeypatch):
    attr = pytest.importorskip("captum.attr")
    model, x, y = digits
    theirs = attr.IntegratedGradients(model).attribute(x, target=y, n_steps=64, method="riemann_middle")
    ours = saliency.integrated_gradients(model, x, y, steps=64)
    assert (ours - theirs).norm() <= 1e-4 * theirs.norm()
    torch.testing.assert_close(ours, theirs.float(), rtol=1e-4, atol=1e-5)

    ids, copies = torch.arange(len(x)), 6
    drawn = torch.stack([saliency.noise(x, 0.25, ids, 7, copy) for copy in range(copies)], 1).flatten(0, 1)
    monkeypatch.setattr(torch, "normal", lambda mean, std: drawn)
    tunnel = attr.NoiseTunnel(attr.Saliency(model))
    theirs = tunnel.attribute(x, target=y, nt_samples=copies, stdevs=0.5, abs=False)
    ours = saliency.smoothgrad(model, x, y, variance=0.25, copies=copies, ids=ids, seed=7)
    assert (ours - theirs).norm() <= 1e-4 * theirs.norm()


def test_noise_has_the_variance_asked_for_and_belongs_to_the_image(digits):
    model, x, y = digits
    ids = torch.arange(len(x))
    drawn = torch.cat([saliency.noise(x, 0.25, ids, 0, copy) for copy in range(20)])
    assert abs(float(drawn.var()) - 0.25) < 0.01 and abs(float(drawn.mean())) < 0.01
    whole = saliency.smoothgrad(model, x, y, copies=4, ids=ids, seed=1)
    part = saliency.smoothgrad(model, x[5:7], y[5:7], copies=4, ids=ids[5:7], seed=1)
    torch.testing.assert_close(whole[5:7], part, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(whole, saliency.smoothgrad(model, x, y, copies=4, ids=ids, seed=2))


@pytest.mark.parametrize("method", [saliency.gradient, saliency.integrated_gradients, saliency.smoothgrad])
def test_the_model_is_left_as_it_was_and_dropout_is_off(method):
    model, (x, y) = problems.Curved().train(), problems.batch()
    before = problems.snapshot(model)
    first, second = method(model, x, y), method(model, x, y)
    assert problems.snapshot(model) == before
    assert torch.equal(first, second) and first.shape == x.shape and not first.requires_grad


def test_gradients_that_are_no_numbers_are_an_error():
    class Root(nn.Module):
        def forward(self, x):
            return torch.stack([(x - x.detach()).flatten(1).norm(dim=1) ** 2, (x * 0).flatten(1).sum(1).sqrt()], 1)

    x, y = problems.batch(3)
    with pytest.raises(AdvtoolError, match="gradient is not finite"):
        saliency.gradient(Root(), x, y % 2)
