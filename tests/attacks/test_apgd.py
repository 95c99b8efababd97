"""Auto-PGD against closed forms, another implementation, and its own promises."""

import pytest
import torch
from attack_problems import (
    Counted,
    Curved,
    Overconfident,
    batch,
    check_contained,
    digits,
    digits_model,
    linear_problem,
    snapshot,
    survivors,
)
from torch import nn

from advtool import seeds
from advtool.attacks import L2, Linf, apgd, apgd_t, fgsm, pgd, square
from advtool.attacks.losses import cross_entropy, dlr, log_odds, margin
from advtool.errors import AdvtoolError, UsageError
from advtool.norms import ball

NORMS = ["l2", "linf"]
LOSSES = ["ce", "dlr", "margin"]
REFERENCE_NORM = {"l2": "L2", "linf": "Linf"}


def attack(name, model, x, y, ball, **settings):
    if name == "t":
        return apgd_t(model, x, y, ball, **settings)
    return apgd(model, x, y, ball, loss=name, **settings)


ATTACKS = [*LOSSES, "t"]


@pytest.fixture(scope="module")
def trained():
    return digits_model(), *digits()


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("dim", [2, 64, 784])
@pytest.mark.parametrize("n", [1, 257])
@pytest.mark.parametrize("scale", [1, 1e4])
@pytest.mark.parametrize("name", ATTACKS)
def test_robust_accuracy_of_a_linear_model_is_exact(norm, dim, n, scale, name):
    model, x, y, distances = linear_problem(n, dim)
    model[1].weight.data *= scale
    model[1].bias.data *= scale
    eps = float(distances[norm].quantile(0.5)) * 1.0005
    clear = (distances[norm] / eps - 1).abs() > 1e-3
    survives = survivors(model, attack(name, model, x, y, ball(norm, eps), steps=30), y)
    assert torch.equal(survives[clear], (distances[norm] > eps)[clear])


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("loss", ["ce", "dlr"])
def test_runs_from_the_same_start_are_torchattacks_runs(norm, loss, trained, monkeypatch):
    torchattacks = pytest.importorskip("torchattacks")
    model, x, y = trained
    right = survivors(model, x, y)
    x, y = x[right], y[right]
    assert len(x) >= 300
    eps, steps = {"l2": 0.5, "linf": 0.08}[norm], 40
    ours = apgd(model, x, y, ball(norm, eps), steps=steps, loss=loss, early_stop=False, seed=3)

    start = ball(norm, eps).random(x, torch.arange(len(x)), seeds.derive(3, "run", 0))
    monkeypatch.setattr(torch, "randn", lambda *_, **__: start.clone())
    monkeypatch.setattr(torch, "rand", lambda *_, **__: (start / eps + 1) / 2)
    reference = torchattacks.APGD(model, norm=REFERENCE_NORM[norm], eps=eps, steps=steps, loss=loss)
    best, correct, highest, _ = reference.attack_single_run(x, y)
    monkeypatch.undo()

    survives = survivors(model, ours, y)
    assert abs(int(survives.sum()) - int(correct.sum())) <= 1
    with torch.no_grad():
        found = {"ce": cross_entropy, "dlr": dlr}[loss](model(ours), y)
    # Rounding parts a few; where it does not, not only the loss is the same but the image.
    assert float((found - highest).abs().median()) < 1e-4
    assert float((found - highest).mean()) > -1e-2 * float(highest.abs().mean())
    same = (ours - best).flatten(1).abs().amax(1) < 1e-3
    assert float(same.float().mean()) > 0.6


@pytest.mark.parametrize("norm", NORMS)
def test_targeted_runs_are_as_strong_as_torchattacks(norm, trained):
    torchattacks = pytest.importorskip("torchattacks")
    model, x, y = trained
    eps = {"l2": 0.5, "linf": 0.08}[norm]
    reference = torchattacks.APGDT(model, norm=REFERENCE_NORM[norm], eps=eps, steps=40, n_classes=10)(x, y)
    ours = apgd_t(model, x, y, ball(norm, eps), steps=40)
    assert int(survivors(model, ours, y).sum()) <= int(survivors(model, reference, y).sum()) + 0.003 * len(x)


@pytest.mark.parametrize("norm", NORMS)
def test_it_is_not_weaker_than_pgd_of_as_many_steps(norm, trained):
    model, x, y = trained
    eps = {"l2": 0.5, "linf": 0.08}[norm]
    plain = survivors(model, pgd(model, x, y, ball(norm, eps), steps=100), y)
    for name in ("ce", "t"):
        survives = survivors(model, attack(name, model, x, y, ball(norm, eps), steps=100), y)
        assert int(survives.sum()) <= int(plain.sum()) + 0.003 * len(x)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("loss", LOSSES)
def test_stopping_early_changes_work_but_not_success(norm, loss, trained):
    model, x, y = trained
    eps = {"l2": 0.5, "linf": 0.08}[norm]
    eager, patient = Counted(model), Counted(model)
    stopped = apgd(eager, x, y, ball(norm, eps), steps=20, restarts=2, loss=loss)
    went_on = apgd(patient, x, y, ball(norm, eps), steps=20, restarts=2, loss=loss, early_stop=False)
    assert (survivors(model, stopped, y) == survivors(model, went_on, y)).float().mean() > 0.99
    assert patient.images == len(x) * (1 + 2 * 21)
    assert eager.images < 0.8 * patient.images
    with torch.no_grad():
        assert margin(model(went_on), y).mean() > margin(model(stopped), y).mean()


def test_more_restarts_are_not_weaker(trained):
    model, x, y = trained
    once, twice = (survivors(model, apgd(model, x, y, L2(0.5), steps=10, restarts=r), y) for r in (1, 3))
    assert (once | ~twice).all() and int(twice.sum()) <= int(once.sum())


def test_the_strongest_iterate_is_returned(trained):
    model, x, y = trained
    with torch.no_grad():
        for name in ATTACKS:
            loss = {"ce": log_odds, "dlr": dlr}.get(name, margin)
            adversarial = attack(name, model, x, y, L2(0.3), steps=10)
            robust = survivors(model, adversarial, y)
            assert (loss(model(adversarial), y) >= loss(model(x), y) - 1e-6)[robust].all()
            assert (adversarial != x).flatten(1).any(1)[robust].all()
            wrong = ~survivors(model, x, y)
            assert torch.equal(adversarial[wrong], x[wrong])


def test_targeted_attacks_reach_their_target_as_often_as_pgd(trained):
    model, x, y = trained
    targets = (y + 1) % 10
    plain = pgd(model, x, targets, L2(1.0), steps=40, targeted=True, keep="best")
    reached = {"pgd": survivors(model, plain, targets).float().mean()}
    for loss in ("ce", "margin"):
        found = apgd(model, x, targets, L2(1.0), steps=40, loss=loss, targeted=True)
        reached[loss] = survivors(model, found, targets).float().mean()
    assert 0.3 < reached["pgd"] < 0.95
    assert min(reached.values()) >= reached["pgd"] - 0.003


def test_apgd_t_tries_the_likeliest_classes_first(trained):
    model, x, y = trained
    counts = [int(survivors(model, apgd_t(model, x, y, L2(0.5), steps=10, target_classes=t), y).sum()) for t in (1, 9)]
    assert counts[1] < counts[0] < 300
    more = apgd_t(model, x[:5], y[:5], L2(0.5), steps=3, target_classes=50)
    assert torch.equal(more, apgd_t(model, x[:5], y[:5], L2(0.5), steps=3))


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("eps", [0.001, 8 / 255, 0.3, 1.0, 5.0])
@pytest.mark.parametrize("name", ATTACKS)
def test_results_stay_in_the_ball_and_the_model_as_it_was(norm, eps, name):
    if norm == "linf" and eps > 1:
        pytest.skip("no such threat")
    model, (x, y) = Curved().train(), batch()
    model.body[0].weight.requires_grad_(False)
    before = snapshot(model)
    check_contained(attack(name, model, x, y, ball(norm, eps), steps=5, restarts=2), x, norm, eps)
    assert snapshot(model) == before


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("name", ATTACKS)
def test_results_do_not_depend_on_the_batch(norm, name):
    model, (x, y), ids = Curved(), batch(20), torch.arange(100, 120)
    eps = {"l2": 0.3, "linf": 0.03}[norm]
    whole = attack(name, model, x, y, ball(norm, eps), steps=10, restarts=2, ids=ids, seed=4)
    parts = [
        attack(
            name, model, x[i : i + 3], y[i : i + 3], ball(norm, eps), steps=10, restarts=2, ids=ids[i : i + 3], seed=4
        )
        for i in range(0, 20, 3)
    ]
    assert torch.allclose(whole, torch.cat(parts), atol=1e-4)
    assert not torch.allclose(whole, attack(name, model, x, y, ball(norm, eps), steps=1, ids=ids, seed=5), atol=1e-4)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("name", ATTACKS)
def test_flat_models_constant_images_and_no_budget(norm, name):
    x, y = torch.full((3, 1, 8, 8), 0.5), torch.tensor([0, 1, 2])
    flat = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
    nn.init.zeros_(flat[1].weight)
    check_contained(attack(name, flat, x, y, ball(norm, 0.5), steps=5), x, norm, 0.5)
    for model in (flat, Curved()):
        assert torch.equal(attack(name, model, x, y, ball(norm, 0.0), steps=5), x)
        check_contained(attack(name, model, x, y, ball(norm, 0.5), steps=0), x, norm, 0.5)
        check_contained(attack(name, model, 0 * x, y, ball(norm, 0.5), steps=5), 0 * x, norm, 0.5)
        assert attack(name, model, x[:0], y[:0], ball(norm, 0.5), steps=2).shape == (0, 1, 8, 8)


@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.parametrize("classes", [1, 2, 3, 4])
def test_few_classes(name, classes):
    x = torch.rand(6, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Flatten(), nn.Linear(64, classes))
    y = model(x).argmax(1)
    adversarial = attack(name, model, x, y, L2(4.0), steps=10)
    check_contained(adversarial, x, "l2", 4.0)
    assert bool(survivors(model, adversarial, y).any()) == (classes == 1)
    assert classes > 1 or torch.equal(adversarial, x)
    check_contained(attack(name, model, x[:1], y[:1], Linf(0.1), steps=3), x[:1], "linf", 0.1)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_sure_model_is_attacked_as_well_as_an_unsure_one(loss, trained):
    model, x, y = trained
    sure = nn.Sequential(model, _Scale(1e4))
    # The cross-entropy of a model that is sure is its margin.
    pairs = [(model, "margin" if loss == "ce" else loss), (sure, loss)]
    counts = [int(survivors(m, apgd(m, x, y, L2(0.5), steps=20, loss=name), y).sum()) for m, name in pairs]
    assert abs(counts[0] - counts[1]) <= 1


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("name", ATTACKS)
def test_success_is_decided_in_float32(norm, name):
    net, x, y, distances = linear_problem(200, 64)
    x, distance = x[y == 0], distances[norm][y == 0]
    y = torch.zeros(len(x), dtype=torch.long)
    eps = float(distance.quantile(0.5)) * 1.0005
    clear = (distance / eps - 1).abs() > 1e-3
    survives = survivors(net, attack(name, Overconfident(net), x, y, ball(norm, eps), steps=30, amp=True), y)
    assert torch.equal(survives[clear], (distance > eps)[clear])


def test_inputs_may_require_gradients():
    model, (x, y) = Curved(), batch()
    leaf = x.clone().requires_grad_(True)
    for attacked in (apgd, apgd_t, fgsm, square):
        settings = {apgd: {"steps": 5}, apgd_t: {"steps": 5}, square: {"steps": 5}}.get(attacked, {})
        found = attacked(model, leaf, y, L2(0.5), **settings)
        assert not found.requires_grad and leaf.grad is None
        assert torch.equal(found, attacked(model, x, y, L2(0.5), **settings))


def test_double_precision():
    model, (x, y) = Curved().double(), batch()
    check_contained(apgd(model, x.double(), y, L2(0.5), steps=5), x.double(), "l2", 0.5)


@pytest.mark.parametrize("name", ATTACKS)
def test_logits_that_are_no_numbers_are_an_error(name):
    model, (x, y) = Curved().train(), batch()
    model.body[5].bias.data.fill_(float("nan"))
    with pytest.raises(AdvtoolError, match="not finite"):
        attack(name, model, x, y, Linf(0.1), steps=3)
    assert model.training and all(p.requires_grad for p in model.parameters())


def test_an_unknown_loss_is_refused():
    with pytest.raises(UsageError, match="unknown loss"):
        apgd(Curved(), *batch(), L2(0.5), loss="cw")
    with pytest.raises(UsageError, match="apgd-t"):
        apgd(Curved(), *batch(), L2(0.5), loss="dlr", targeted=True)


class _Scale(nn.Module):
    def __init__(self, factor: float):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return self.factor * x
