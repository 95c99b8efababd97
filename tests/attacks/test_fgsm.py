"""FGSM against its closed form, and its promises."""

import pytest
import torch
from attack_problems import Curved, batch, check_contained, linear_problem, snapshot, survivors
from torch import nn

from advtool.attacks import L2, Linf, fgsm
from advtool.errors import AdvtoolError
from advtool.norms import ball

NORMS = ["l2", "linf"]


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("n", [1, 257])
def test_one_step_is_all_that_a_linear_model_takes(norm, n):
    model, x, y, distances = linear_problem(n, 64)
    eps = float(distances[norm].quantile(0.5)) * 1.0005
    clear = (distances[norm] / eps - 1).abs() > 1e-3
    survives = survivors(model, fgsm(model, x, y, ball(norm, eps)), y)
    assert torch.equal(survives[clear], (distances[norm] > eps)[clear])


@pytest.mark.parametrize("targeted", [False, True])
def test_the_step_follows_the_gradient_of_the_cross_entropy(targeted):
    x, y = batch(20)
    x = 0.25 + x / 2
    model = Curved().eval()
    probe = x.clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad(nn.functional.cross_entropy(model(probe), y, reduction="sum"), probe)
    gradient = -gradient if targeted else gradient
    found = fgsm(model, x, y, Linf(0.1), targeted=targeted)
    torch.testing.assert_close(found, x + 0.1 * gradient.sign(), atol=1e-6, rtol=0)
    found = fgsm(model, x, y, L2(0.1), targeted=targeted)
    unit = gradient / ball("l2").norm(gradient).view(-1, 1, 1, 1)
    torch.testing.assert_close(found, x + 0.1 * unit, atol=1e-6, rtol=0)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("eps", [0.0, 0.001, 8 / 255, 0.3, 1.0])
@pytest.mark.parametrize("random_start", [False, True])
def test_results_stay_in_the_ball_and_the_model_as_it_was(norm, eps, random_start):
    model, (x, y) = Curved().train(), batch()
    before = snapshot(model)
    adversarial = fgsm(model, x, y, ball(norm, eps), random_start=random_start)
    check_contained(adversarial, x, norm, eps)
    assert snapshot(model) == before
    assert eps or torch.equal(adversarial, x)


@pytest.mark.parametrize("norm", NORMS)
def test_results_do_not_depend_on_the_batch(norm):
    model, (x, y), ids = Curved(), batch(20), torch.arange(100, 120)
    whole = fgsm(model, x, y, ball(norm, 0.3), random_start=True, ids=ids, seed=4)
    parts = [
        fgsm(model, x[i : i + 3], y[i : i + 3], ball(norm, 0.3), random_start=True, ids=ids[i : i + 3], seed=4)
        for i in range(0, 20, 3)
    ]
    assert torch.allclose(whole, torch.cat(parts), atol=1e-5)
    assert not torch.allclose(whole, fgsm(model, x, y, ball(norm, 0.3), random_start=True, ids=ids, seed=5), atol=1e-3)


@pytest.mark.parametrize("norm", NORMS)
def test_a_sure_model_has_the_same_gradient(norm):
    model, x, y, _ = linear_problem(32, 64)
    plain = fgsm(model, x, y, ball(norm, 0.01))
    model[1].weight.data *= 1e4
    model[1].bias.data *= 1e4
    torch.testing.assert_close(fgsm(model, x, y, ball(norm, 0.01)), plain, atol=1e-6, rtol=0)


@pytest.mark.parametrize("norm", NORMS)
def test_flat_models_one_class_and_no_images(norm):
    x = torch.full((3, 1, 8, 8), 0.5)
    flat = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
    nn.init.zeros_(flat[1].weight)
    assert torch.equal(fgsm(flat, x, torch.tensor([0, 1, 2]), ball(norm, 0.5)), x)
    one = nn.Sequential(nn.Flatten(), nn.Linear(64, 1))
    assert torch.equal(fgsm(one, x, torch.zeros(3, dtype=torch.long), ball(norm, 0.5)), x)
    assert fgsm(flat, x[:0], torch.zeros(0, dtype=torch.long), ball(norm, 0.5), random_start=True).shape == (0, 1, 8, 8)


def test_logits_that_are_no_numbers_are_an_error():
    model, (x, y) = Curved(), batch()
    model.body[5].bias.data.fill_(float("nan"))
    with pytest.raises(AdvtoolError, match="not finite"):
        fgsm(model, x, y, Linf(0.1))
