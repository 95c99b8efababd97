"""Square Attack against closed forms, another implementation, and its own promises."""

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

from advtool.attacks import L2, Linf, square
from advtool.attacks.losses import margin
from advtool.attacks.square_moves import MOVES, _bump, _inside, _places
from advtool.errors import AdvtoolError
from advtool.norms import ball

NORMS = ["l2", "linf"]
REFERENCE_NORM = {"l2": "L2", "linf": "Linf"}


@pytest.fixture(scope="module")
def trained():
    return digits_model(), *digits()


@pytest.mark.parametrize("dim", [2, 64])
@pytest.mark.parametrize("n", [1, 257])
@pytest.mark.parametrize("scale", [1, 1e4])
def test_linf_robust_accuracy_of_a_linear_model_is_exact(dim, n, scale):
    model, x, y, distances = linear_problem(n, dim)
    model[1].weight.data *= scale
    model[1].bias.data *= scale
    eps = float(distances["linf"].quantile(0.5)) * 1.0005
    clear = (distances["linf"] / eps - 1).abs() > 1e-3
    survives = survivors(model, square(model, x, y, Linf(eps), steps=1000), y)
    assert torch.equal(survives[clear], (distances["linf"] > eps)[clear])


def test_l2_robust_accuracy_of_a_linear_model_is_near():
    model, x, y, distances = linear_problem(100, 64)
    x = x.view(-1, 1, 8, 8)
    far, near = distances["l2"] * 0.99, distances["l2"] * 1.5
    for distance, robust in ((far, True), (near, False)):
        eps = float(distance.min() if robust else distance.max())
        assert bool(survivors(model, square(model, x, y, L2(eps), steps=500), y).all()) == robust
    assert not survivors(model, square(model, x, y, L2(float(near.max())), steps=500), y).any()


def compare(model, x, y, norm, eps, queries):
    torchattacks = pytest.importorskip("torchattacks")
    reference = torchattacks.Square(model, norm=REFERENCE_NORM[norm], eps=eps, n_queries=queries)(x, y)
    ours = square(model, x, y, ball(norm, eps), steps=queries)
    assert int(survivors(model, ours, y).sum()) <= int(survivors(model, reference, y).sum()) + 0.003 * len(x)


@pytest.mark.parametrize("norm", NORMS)
def test_it_is_as_strong_as_torchattacks(norm, trained):
    compare(*trained, norm, {"l2": 0.5, "linf": 0.08}[norm], 300)


@pytest.mark.slow
@pytest.mark.parametrize("norm", NORMS)
def test_it_is_as_strong_as_torchattacks_with_5000_queries(norm, trained):
    compare(*trained, norm, {"l2": 0.5, "linf": 0.08}[norm], 5000)


@pytest.mark.parametrize("h", range(2, 12))
def test_bumps_are_those_of_torchattacks(h, monkeypatch):
    torchattacks = pytest.importorskip("torchattacks")
    reference = torchattacks.Square(Curved())
    monkeypatch.setattr(torch, "rand", lambda *_, **__: torch.zeros(1))
    torch.testing.assert_close(_bump(h, torch.device("cpu"), torch.float32), reference.eta(h))


def test_the_smallest_bump_is_one_pixel():
    assert _bump(1, torch.device("cpu"), torch.float32).tolist() == [[-1.0]]


def test_squares_are_anywhere_in_the_image_and_nowhere_else():
    u = torch.linspace(0, 1 - 2**-24, 1001)
    for size, h in ((8, 3), (8, 8), (8, 1), (1, 1)):
        inside = _inside(u, h, size)
        assert inside.sum(1).eq(h).all()
        assert inside.float().argmax(1).unique().tolist() == list(range(size - h + 1))
    places = _places(u[:, None].expand(-1, 40).flatten(), torch.rand(40_040), 2, torch.Size((1, 1, 4, 6)))
    assert places.shape == (40_040, 1, 4) and places.min() == 0 and places.max() == 4 * 6 - 1
    assert (places[:, 0, 1] - places[:, 0, 0] == 1).all() and (places[:, 0, 2] - places[:, 0, 0] == 6).all()
    assert places[:, 0, 0].remainder(6).max() == 4


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 16, 11), (3, 1, 9), (1, 1, 1), (2, 2, 2), (3, 32, 32)])
def test_moves_stay_in_the_ball_and_change_only_their_squares(norm, shape):
    generator, moves, eps = torch.Generator().manual_seed(0), MOVES[norm], 0.2
    inputs = torch.rand(50, *shape, generator=generator)
    x = moves.start(inputs, eps, torch.arange(50), 0)
    check_contained(x, inputs, norm, eps * (1 + 1e-5))
    for area in (0.8, 0.2, 0.01):
        h = moves.side(area * shape[1] * shape[2], min(shape[1:]))
        assert 1 <= h <= min(shape[1:])
        tried = moves.propose(inputs, x, eps, h, torch.rand(50, moves.numbers(shape[0]), generator=generator))
        check_contained(tried, inputs, norm, eps * (1 + 1e-5))
        if norm == "linf":
            changed = (tried != x).flatten(1).sum(1)
            assert changed.min() >= 1 and changed.max() <= h * h * shape[0]
            levels = torch.stack([(inputs + eps).clamp(0, 1), (inputs - eps).clamp(0, 1)])
            assert (tried == levels).any(0).all()
        x = tried


def test_l2_moves_use_the_whole_budget():
    inputs = torch.full((50, 3, 8, 8), 0.5)
    x = MOVES["l2"].start(inputs, 0.3, torch.arange(50), 0)
    assert ball("l2").norm(x - inputs).tolist() == pytest.approx([0.3] * 50)
    x = MOVES["l2"].propose(inputs, x, 0.3, 3, torch.rand(50, 8, generator=torch.Generator().manual_seed(0)))
    assert ball("l2").norm(x - inputs).tolist() == pytest.approx([0.3] * 50)


@pytest.mark.parametrize("norm", NORMS)
def test_queries_are_counted_and_the_fooled_are_dropped(norm):
    model, x, y, distances = linear_problem(64, 64)
    harmless, deadly = (float(d) for d in (0.1 * distances[norm].min(), 50 * distances[norm].max()))
    for eps, low, high in ((harmless, 64 * 101, 64 * 101), (min(deadly, 1), 64 * 2, 64 * 100)):
        counted = Counted(model)
        square(counted, x, y, ball(norm, eps), steps=100)
        assert low <= counted.images <= high
    counted = Counted(model)
    assert torch.equal(square(counted, x, 1 - y, ball(norm, 0.1), steps=100), x)
    assert counted.images == 64


@pytest.mark.parametrize("norm", NORMS)
def test_more_queries_and_restarts_are_not_weaker(norm, trained):
    model, x, y = trained
    eps = {"l2": 0.5, "linf": 0.08}[norm]
    few = survivors(model, square(model, x, y, ball(norm, eps), steps=20), y)
    restarted = survivors(model, square(model, x, y, ball(norm, eps), steps=20, restarts=3), y)
    many = survivors(model, square(model, x, y, ball(norm, eps), steps=200), y)
    assert (few | ~restarted).all() and restarted.sum() < few.sum() and many.sum() < few.sum()


def test_the_strongest_iterate_is_returned(trained):
    model, x, y = trained
    for norm, eps in (("l2", 0.05), ("linf", 0.005)):
        with torch.no_grad():
            gain = margin(model(square(model, x, y, ball(norm, eps), steps=50)), y) - margin(model(x), y)
        assert gain.min() >= -1e-6 and gain.mean() > 0


@pytest.mark.parametrize("norm", NORMS)
def test_targeted_attacks_reach_their_target(norm, trained):
    model, x, y = trained
    targets = (y + 1) % 10
    eps = {"l2": 2.0, "linf": 0.3}[norm]
    found = square(model, x[:100], targets[:100], ball(norm, eps), steps=300, targeted=True)
    assert survivors(model, found, targets[:100]).float().mean() > 0.6


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("eps", [0.001, 8 / 255, 0.3, 1.0, 5.0])
def test_results_stay_in_the_ball_and_the_model_as_it_was(norm, eps):
    if norm == "linf" and eps > 1:
        pytest.skip("no such threat")
    model, (x, y) = Curved().train(), batch()
    model.body[0].weight.requires_grad_(False)
    before = snapshot(model)
    check_contained(square(model, x, y, ball(norm, eps), steps=30, restarts=2), x, norm, eps)
    assert snapshot(model) == before


@pytest.mark.parametrize("norm", NORMS)
def test_results_do_not_depend_on_the_batch(norm):
    model, (x, y), ids = Curved(), batch(20), torch.arange(100, 120)
    eps = {"l2": 0.3, "linf": 0.03}[norm]
    whole = square(model, x, y, ball(norm, eps), steps=150, restarts=2, ids=ids, seed=4)
    parts = [
        square(model, x[i : i + 3], y[i : i + 3], ball(norm, eps), steps=150, restarts=2, ids=ids[i : i + 3], seed=4)
        for i in range(0, 20, 3)
    ]
    assert torch.allclose(whole, torch.cat(parts), atol=1e-4)
    assert not torch.allclose(whole, square(model, x, y, ball(norm, eps), steps=150, ids=ids, seed=5), atol=1e-4)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("classes", [1, 2, 3])
def test_flat_models_constant_images_few_classes_and_no_budget(norm, classes):
    x, y = torch.full((3, 1, 8, 8), 0.5), torch.zeros(3, dtype=torch.long)
    flat = nn.Sequential(nn.Flatten(), nn.Linear(64, classes))
    nn.init.zeros_(flat[1].weight)
    flat[1].bias.data = torch.arange(classes, 0, -1).float()
    assert torch.equal(square(flat, x, y, ball(norm, 0.5), steps=10), x)
    assert torch.equal(square(flat, x, y, ball(norm, 0.0), steps=10), x)
    assert square(flat, x[:0], y[:0], ball(norm, 0.5), steps=10).shape == (0, 1, 8, 8)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Flatten(), nn.Linear(64, classes))
    for images in (0 * x, x, 0 * x + 1):
        check_contained(square(model, images, y, ball(norm, 0.5), steps=10), images, norm, 0.5)
    check_contained(square(model, x[:1], y[:1], ball(norm, 0.5), steps=10), x[:1], norm, 0.5)


def test_success_is_decided_in_float32():
    net, x, y, distances = linear_problem(200, 64)
    x, distance = x[y == 0], distances["linf"][y == 0]
    y = torch.zeros(len(x), dtype=torch.long)
    eps = float(distance.quantile(0.5)) * 1.0005
    clear = (distance / eps - 1).abs() > 1e-3
    survives = survivors(net, square(Overconfident(net), x, y, Linf(eps), steps=1000, amp=True), y)
    assert torch.equal(survives[clear], (distance > eps)[clear])


def test_no_gradients_are_asked_for():
    class Opaque(nn.Module):
        def forward(self, x):
            assert not torch.is_grad_enabled()
            return torch.tensor(x.flatten(1).numpy()[:, :3])

    x, y = batch()
    check_contained(square(Opaque(), x, y, Linf(0.1), steps=20), x, "linf", 0.1)


def test_results_can_be_used_for_training():
    model, (x, y) = Curved(), batch()
    model(square(model, x, y, Linf(0.1), steps=5)).sum().backward()


@pytest.mark.parametrize("norm", NORMS)
def test_logits_that_are_no_numbers_are_an_error(norm):
    model, (x, y) = Curved().train(), batch()
    model.body[5].bias.data.fill_(float("nan"))
    with pytest.raises(AdvtoolError, match="not finite"):
        square(model, x, y, ball(norm, 0.1), steps=3)
    assert model.training and all(p.requires_grad for p in model.parameters())
