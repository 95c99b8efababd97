"""PGD against closed forms, a NumPy reference, and its own promises."""

import math

import numpy as np
import pytest
import torch
from attack_problems import Curved, batch, linear_problem
from torch import nn

from advtool.attacks import L2, Linf, pgd
from advtool.errors import AdvtoolError
from advtool.norms import ball


@pytest.mark.parametrize("norm", ["l2", "linf"])
@pytest.mark.parametrize("dim", [2, 64, 784])
@pytest.mark.parametrize("n", [1, 257])
def test_robust_accuracy_of_a_linear_model_is_exact(norm, dim, n):
    model, x, y, distances = linear_problem(n, dim)
    for quantile in (0.2, 0.5, 0.8):
        eps = float(distances[norm].quantile(quantile)) * 1.0005
        adversarial = pgd(model, x, y, ball(norm, eps), steps=20)
        survives = model(adversarial).argmax(1) == y
        clear = (distances[norm] / eps - 1).abs() > 1e-3
        assert torch.equal(survives[clear], (distances[norm] > eps)[clear])


def numpy_pgd(weight, bias, x, y, norm, eps, steps, size):
    """The same attack on a softmax regression, written out with its closed-form gradient."""
    z = x.copy()
    for _ in range(steps):
        logits = z @ weight.T + bias
        p = np.exp(logits - logits.max(1, keepdims=True))
        p /= p.sum(1, keepdims=True)
        p[np.arange(len(y)), y] -= 1
        g = p @ weight
        z = z + size * (np.sign(g) if norm == "linf" else g / np.linalg.norm(g, axis=1, keepdims=True))
        d = z - x
        if norm == "linf":
            d = np.clip(d, -eps, eps)
        else:
            d *= np.minimum(1, eps / np.linalg.norm(d, axis=1, keepdims=True))
        z = np.clip(x + d, 0, 1)
    return z


@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_iterates_equal_a_numpy_reference(norm):
    rng = np.random.default_rng(0)
    weight, bias = rng.normal(size=(5, 30)), rng.normal(size=5)
    x, y = rng.random((40, 30)), rng.integers(0, 5, 40)
    model = nn.Sequential(nn.Flatten(), nn.Linear(30, 5)).double()
    model[1].weight.data, model[1].bias.data = torch.tensor(weight), torch.tensor(bias)
    eps, steps, size = {"l2": 0.7, "linf": 0.1}[norm], 9, {"l2": 0.2, "linf": 0.03}[norm]
    images = torch.tensor(x).view(40, 1, 5, 6)
    options = {"steps": steps, "step_size": size, "random_start": False, "keep": "last"}
    found = pgd(model, images, torch.tensor(y), ball(norm, eps), **options)
    np.testing.assert_allclose(
        found.view(40, 30).numpy(), numpy_pgd(weight, bias, x, y, norm, eps, steps, size), atol=1e-6
    )


@pytest.mark.parametrize("norm", ["l2", "linf"])
@pytest.mark.parametrize("eps", [0.001, 0.01, 8 / 255, 0.3, 5.0])
@pytest.mark.parametrize("start", [True, False])
def test_results_stay_in_the_ball_and_in_the_box(norm, eps, start):
    if norm == "linf" and eps > 1:
        pytest.skip("no such threat")
    x, y = batch()
    for keep in ("best", "last"):
        adversarial = pgd(Curved(), x, y, ball(norm, eps), steps=5, random_start=start, restarts=2, keep=keep)
        assert adversarial.dtype == x.dtype and not adversarial.requires_grad
        assert adversarial.min() >= 0 and adversarial.max() <= 1
        assert ball(norm).norm(adversarial.double() - x.double()).max() <= eps * (1 + 1e-6)


def test_the_model_is_left_exactly_as_found():
    model, (x, y) = Curved(), batch()
    model.train()
    model.body[1].eval()
    model.body[0].weight.requires_grad_(False)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    flags = [m.training for m in model.modules()], [p.requires_grad for p in model.parameters()]
    pgd(model, x, y, L2(0.5), steps=3)
    assert ([m.training for m in model.modules()], [p.requires_grad for p in model.parameters()]) == flags
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())


def test_the_model_is_left_as_found_even_after_an_error():
    model, (x, y) = Curved(), batch()
    model.train()
    with torch.no_grad():
        model.body[5].bias.fill_(float("nan"))
    with pytest.raises(AdvtoolError, match="not finite"):
        pgd(model, x, y, Linf(0.1), steps=3)
    assert model.training and all(p.requires_grad for p in model.parameters())


@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_results_do_not_depend_on_the_batch(norm):
    x, y = batch(20)
    ids = torch.arange(100, 120)
    options = {"ball": ball(norm, 0.3), "steps": 5, "random_start": True, "restarts": 2}
    model = Curved()
    whole = pgd(model, x, y, ids=ids, seed=4, **options)
    parts = [pgd(model, x[i : i + 3], y[i : i + 3], ids=ids[i : i + 3], seed=4, **options) for i in range(0, 20, 3)]
    assert torch.allclose(whole, torch.cat(parts), atol=1e-5)
    assert not torch.allclose(whole, pgd(model, x, y, ids=ids, seed=5, **options), atol=1e-3)


def test_best_is_never_weaker_than_last():
    x, y = batch(64)
    model, loss = Curved().eval(), nn.CrossEntropyLoss(reduction="none")
    best, last = (pgd(model, x, y, L2(1.0), steps=10, step_size=1.5, keep=keep) for keep in ("best", "last"))
    hits = [model(z).argmax(1) != y for z in (best, last)]
    assert (hits[0] | ~hits[1]).all()
    same = hits[0] == hits[1]
    assert (loss(model(best), y) >= loss(model(last), y) - 1e-5)[same].all()


def test_targeted_attacks_approach_their_target():
    x, y = batch(64)
    model = Curved().eval()
    before = nn.functional.cross_entropy(model(x), y)
    after = nn.functional.cross_entropy(model(pgd(model, x, y, L2(2), steps=10, targeted=True)), y)
    assert after < before - 0.1


def test_zero_gradients_constant_images_and_radius_zero():
    x, y = torch.full((3, 1, 8, 8), 0.5), torch.tensor([0, 1, 2])
    flat = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
    nn.init.zeros_(flat[1].weight)
    for norm in ("l2", "linf"):
        assert torch.equal(pgd(flat, x, y, ball(norm, 0.5), steps=5, random_start=False), x)
        assert torch.equal(pgd(Curved(), x, y, ball(norm, 0.0), steps=5), x)
        assert torch.equal(pgd(Curved(), x, y, ball(norm, 0.5), steps=0, random_start=False), x)


def test_steps_have_length_one_even_where_the_gradient_almost_vanishes():
    gradient = torch.zeros(4, 1, 2, 2)
    gradient[0] = 1e-30
    gradient[1, 0, 0, 0] = -1e-38
    gradient[2] = 1e30
    assert L2().norm(L2().step(gradient)).tolist() == pytest.approx([1, 1, 1, 0])
    assert Linf().norm(Linf().step(gradient)).tolist() == [1, 1, 1, 0]


@pytest.mark.parametrize("dim", [1, 3])
def test_random_starts_are_uniform_in_the_ball(dim):
    like, ids = torch.zeros(20_000, 1, 1, dim), torch.arange(20_000)
    l2 = L2(2.0).random(like, ids, 0)
    radius = L2().norm(l2) / 2
    assert radius.max() <= 1 + 1e-6
    assert float((radius**dim).mean()) == pytest.approx(0.5, abs=0.01)
    assert l2.mean(0).abs().max() < 0.03
    linf = Linf(0.25).random(like, ids, 0)
    assert linf.abs().max() <= 0.25
    assert float(linf.std()) == pytest.approx(0.5 / math.sqrt(12), rel=0.02)


def test_successes_in_bfloat16_are_confirmed():
    x, y = batch(64)
    model = Curved().eval()
    exact, fast = (model(pgd(model, x, y, L2(0.5), steps=20, amp=amp)).argmax(1) == y for amp in (False, True))
    assert abs(int(exact.sum()) - int(fast.sum())) <= 2
