"""Prepared networks are the model but for rounding, and have no say in what is a success."""

import copy

import pytest
import torch
from torch import nn

from advtool.attacks import L2, Linf, apgd, cw, ddn, fab, pgd, square
from advtool.attacks.guard import exact_logits
from advtool.errors import AdvtoolError
from advtool.models.classifier import Classifier, ModelSpec
from advtool.models.registry import build
from advtool.prepared import Network, prepare
from advtool.prepared.folding import Folded
from advtool.prepared.fused import Rectified

SHAPE = (3, 32, 32)
ARCHITECTURES = {
    "resnet18": {"width": 0.25},
    "preactresnet18": {"width": 0.125},
    "wrn-28-10": {"width": 0.05},
    "dm-wrn-28-10": {"width": 0.05},
    "cnn": {"width": 0.25},
    "mlp": {"hidden": [20, 30]},
    "mobilenet_v3_small": {},
    "densenet121": {},
}


def randomised(model: nn.Module) -> nn.Module:
    """With running statistics and affine parameters of BatchNorm that are not their first ones."""
    generator = torch.Generator().manual_seed(0)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor, low in ((module.running_mean, -0.3), (module.running_var, 0.5), (module.bias, -0.2)):
                tensor.data.copy_(low + torch.rand(tensor.shape, generator=generator))
            module.weight.data.copy_(0.5 + torch.rand(module.weight.shape, generator=generator))
    return model.eval()


def built(arch: str) -> Classifier:
    torch.manual_seed(0)
    spec = ModelSpec(arch, tuple("abcdefg"), SHAPE, (0.4, 0.5, 0.6), (0.2, 0.3, 0.25), ARCHITECTURES[arch])
    return randomised(build(spec))


def gradient(function, x):
    x = x.clone().requires_grad_()
    (found,) = torch.autograd.grad(function(x).square().sum(), x)
    return found / found.abs().amax()


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_logits_and_gradients_are_the_models(arch):
    model, x = built(arch), torch.rand(5, *SHAPE, generator=torch.Generator().manual_seed(1))
    before = copy.deepcopy(model.state_dict())
    exact, wanted = model(x), gradient(model, x)
    for amp, tolerance in ((False, 1e-4), (True, 0.1)):
        network = prepare(model, x, amp)
        assert (network(x) - exact).abs().max() <= tolerance * exact.abs().max()
        cosine = torch.cosine_similarity(gradient(network, x).flatten(1), wanted.flatten(1))
        assert cosine.min() > (0.9999 if not amp else 0.9), cosine
        assert torch.equal(exact_logits(network, x), exact)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.requires_grad and parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize(("arch", "folds", "fused"), [("resnet18", 20, 17), ("preactresnet18", 8, 8), ("cnn", 0, 2)])
def test_norms_are_folded_and_relus_fused(arch, folds, fused):
    folded = Folded(built(arch).net, torch.float32, SHAPE)
    assert folded.folds == folds
    assert sum(isinstance(module, Rectified) for module in folded.net.modules()) == folded.fused >= fused
    assert not any(parameter.requires_grad for parameter in folded.parameters())


@pytest.mark.parametrize("amp", [False, True])
def test_it_follows_the_weights_once_it_is_refreshed(amp):
    model, x = built("resnet18"), torch.rand(4, *SHAPE)
    network = prepare(model, x, amp)
    stale = network(x).detach()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.1)
        model.train()(x)  # running statistics move
        model.eval()
    network.refresh()
    torch.testing.assert_close(network(x), prepare(model, x, amp)(x), rtol=0, atol=0)
    assert not torch.allclose(network(x), stale, rtol=0.01)


class Branching(nn.Module):
    """What cannot be traced: its way depends on the numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(12, 3)

    def forward(self, x):
        return self.net(x.flatten(1)) * (2 if x.mean() > 0.5 else 1)


class Noisy(nn.Sequential):
    def forward(self, x):
        return super().forward(x + 0.5 * torch.rand_like(x))


def affine(kind=nn.Sequential):
    torch.manual_seed(0)
    return kind(nn.Flatten(), nn.Linear(12, 3)).eval()


@pytest.mark.parametrize("model", [Branching().eval(), affine(Noisy)], ids=["branching", "noisy"])
def test_what_cannot_be_prepared_is_driven_as_it_is(model):
    x = torch.rand(6, 3, 2, 2)
    network = prepare(model, x)
    assert not network.approximate and network.exact is model
    pgd(network, x, torch.zeros(6, dtype=torch.int64), L2(0.5), steps=3)


def test_images_that_depend_on_each_other_stay_together():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(12, track_running_stats=False), nn.Linear(12, 3)).eval()
    x, y = torch.rand(8, 3, 2, 2), torch.zeros(8, dtype=torch.int64)
    network, sizes = prepare(model, x, amp=True), []
    assert network.whole and not network.approximate
    model.register_forward_hook(lambda module, inputs, output: sizes.append(len(inputs[0])))
    for attack in (pgd, apgd):
        attack(network, x, y, L2(1.0), steps=4, early_stop=True)
    assert set(sizes) == {8}


ATTACKS = {
    "pgd": lambda *given: pgd(*given, steps=10),
    "pgd-early": lambda *given: pgd(*given, steps=10, early_stop=True, restarts=2),
    "apgd": lambda *given: apgd(*given, steps=10),
    "ddn": lambda *given: ddn(*given, steps=20),
    "cw": lambda *given: cw(*given, steps=20, binary_search_steps=2, learning_rate=0.1, initial_const=1.0),
    "fab": lambda *given: fab(*given, steps=5),
    "square": lambda *given: square(*given, steps=30),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_a_driver_that_sees_successes_where_there_are_none_is_not_believed(name):
    model, x = affine(), torch.rand(12, 3, 2, 2)
    y = model(x).argmax(1)
    # the driver sees other classes than the model; within this radius the model is fooled by nothing
    network = Network(
        model, lambda z: 0.001 * model(z) - 10 * nn.functional.one_hot(y[:1], 3).float(), approximate=True
    )
    adversarial = ATTACKS[name](network, x, y, L2(1e-4))
    assert (model(adversarial).argmax(1) == y).all()


@pytest.mark.parametrize("name", ATTACKS)
def test_confirmed_successes_are_kept(name):
    model, x = affine(), torch.rand(12, 3, 2, 2, generator=torch.Generator().manual_seed(3))
    y = model(x).argmax(1)
    plain = ATTACKS[name](model, x, y, L2(0.6))
    driven = ATTACKS[name](Network(model, lambda z: 1.001 * model(z), approximate=True), x, y, L2(0.6))
    fell = [model(z).argmax(1) != y for z in (plain, driven)]
    assert int(fell[0].sum()) >= 3 and (fell[0] == fell[1]).float().mean() > 0.9


@pytest.mark.parametrize("ball", [L2(0.5), Linf(0.1)])
def test_who_stands_does_not_depend_on_leaving_early(ball):
    model, x = built("cnn"), torch.rand(24, *SHAPE, generator=torch.Generator().manual_seed(2))
    y = model(x).argmax(1)
    for options in ({}, {"restarts": 2}):
        whole = pgd(model, x, y, ball, steps=6, **options)
        early = pgd(model, x, y, ball, steps=6, early_stop=True, **options)
        assert torch.equal(model(whole).argmax(1) == y, model(early).argmax(1) == y)
    small = ball.with_eps(ball.eps / 40)
    kinds = (ddn, cw) if ball.name == "l2" else ()
    for attack in kinds:
        steps = {"steps": 30} | ({"binary_search_steps": 3} if attack is cw else {})
        whole, early = (attack(model, x, y, small, early_stop=stop, **steps) for stop in (False, True))
        assert (model(whole).argmax(1) == y).sum() == (model(early).argmax(1) == y).sum()


def test_logits_that_are_no_numbers_are_an_error_at_the_end():
    model = affine()
    network = Network(model, lambda z: model(z) / 0, approximate=True)
    with pytest.raises(AdvtoolError, match="not finite"):
        pgd(network, torch.rand(4, 3, 2, 2), torch.zeros(4, dtype=torch.int64), L2(0.5), steps=3)


def test_a_part_of_a_network_is_driven_to():
    model, x = built("resnet18"), torch.rand(4, *SHAPE)
    net = model.net
    inner = nn.Sequential(*list(net.children())[:-1], nn.Flatten())
    wanted = inner(model.normalised(x))
    network = prepare(model, x, part=lambda z: inner(model.normalised(z)), layer="")
    assert network.approximate
    torch.testing.assert_close(network(x), wanted, rtol=1e-4, atol=1e-4)
    middle = nn.Sequential(*list(net.children())[:5])
    wanted = middle(model.normalised(x)).flatten(1)
    network = prepare(model, x, part=lambda z: middle(model.normalised(z)).flatten(1), layer="layer1.1.relu")
    torch.testing.assert_close(network(x), wanted, rtol=1e-4, atol=1e-4)
