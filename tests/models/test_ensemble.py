"""Ensembles: the mean of logits, and the mean of losses, against what they are written out."""

import pytest
import torch
from attack_problems import Curved, batch, check_contained
from torch import nn

from advtool.attacks import L2, Linf, apgd, fgsm, mi_fgsm, pgd
from advtool.attacks.guard import gradient_of, logits_of
from advtool.attacks.losses import cross_entropy
from advtool.errors import AdvtoolError
from advtool.models.ensemble import Ensemble
from advtool.prepared import plain, prepare


def members() -> list[nn.Module]:
    found = [Curved().eval(), Curved().eval()]
    with torch.random.fork_rng():
        torch.manual_seed(7)
        for parameter in found[1].parameters():
            parameter.data = 3 * torch.randn_like(parameter)
    return found


def expected_gradients(x, y):
    """Of the loss of the mean logits, and of the mean loss, in float64."""
    leaf, models = x.double().requires_grad_(True), [model.double() for model in members()]
    outputs = [model(leaf) for model in models]
    of_logits = nn.functional.cross_entropy(sum(outputs) / 2, y, reduction="sum")
    of_losses = sum(nn.functional.cross_entropy(output, y, reduction="sum") for output in outputs) / 2
    return [torch.autograd.grad(loss, leaf, retain_graph=True)[0].float() for loss in (of_logits, of_losses)]


@pytest.mark.parametrize(
    "make", [plain, lambda model: prepare(model, batch()[0]), lambda m: prepare(m, batch()[0], True)]
)
def test_gradients_are_of_the_mean_logits_or_of_the_mean_loss(make):
    x, y = batch()
    for losses, expected in zip((False, True), expected_gradients(x, y), strict=True):
        network = make(Ensemble(members(), losses).eval())
        logits, loss, gradient = gradient_of(network, x, cross_entropy, y)
        tolerance = (0.1 if network.approximate else 1e-5) * float(expected.abs().amax())
        assert torch.allclose(gradient, expected, atol=tolerance)
        with torch.no_grad():
            outputs = torch.stack([model(x) for model in members()])
            each = torch.stack([cross_entropy(output, y) for output in outputs])
        wanted = each.mean(0) if losses else cross_entropy(outputs.mean(0), y)
        assert torch.allclose(loss, wanted, rtol=0.05, atol=0.05 * float(wanted.amax()))
        assert torch.allclose(logits, outputs.mean(0), rtol=0.05, atol=0.05 * float(outputs.abs().amax()))
    assert not torch.allclose(*expected_gradients(x, y), atol=1e-2)


def test_attacks_follow_the_losses_that_they_are_told_to_follow():
    x, y = batch()
    for losses in (False, True):
        model = Ensemble(members(), losses)
        found = fgsm(model, 0.25 + x / 2, y, Linf(0.01))
        gradient = gradient_of(plain(model.eval()), 0.25 + x / 2, cross_entropy, y)[2]
        assert torch.allclose(found, 0.25 + x / 2 + 0.01 * gradient.sign(), atol=1e-6)
        for attack in (pgd, apgd, mi_fgsm):
            check_contained(attack(model, x, y, L2(0.5), steps=5), x, "l2", 0.5)


def test_of_one_model_twice_an_ensemble_is_that_model():
    x, y = batch()
    one = Curved().eval()
    for losses in (False, True):
        for attack in (pgd, apgd, mi_fgsm):
            both = attack(Ensemble([one, one], losses), x, y, L2(0.5), steps=5)
            assert torch.allclose(both, attack(one, x, y, L2(0.5), steps=5), atol=1e-5)


def test_members_are_left_as_they_were_and_checked():
    x, y = batch()
    models = [Curved().train(), Curved().eval()]
    pgd(Ensemble(models, True), x, y, L2(0.5), steps=3)
    assert models[0].training and not models[1].training and models[0].body[0].weight.requires_grad
    models[1].body[5].bias.data.fill_(float("nan"))
    for losses in (False, True):
        with pytest.raises(AdvtoolError, match="not finite"):
            pgd(prepare(Ensemble(models, losses), x), x, y, L2(0.5), steps=3, keep="last")


def test_a_random_member_makes_the_ensemble_random():
    class Noisy(nn.Module):
        def __init__(self, net):
            super().__init__()
            self.net = net

        def forward(self, x):
            return self.net(x + 0.1 * torch.randn_like(x))

    x, _ = batch()
    assert prepare(Ensemble([Curved(), Noisy(Curved())]), x).random
    assert not prepare(Ensemble([Curved(), Curved()]), x).random
    assert plain(Ensemble([Curved(), Curved()])).random is None
    assert logits_of(plain(Ensemble([Curved().eval(), Curved().eval()])), x).shape == (12, 3)
