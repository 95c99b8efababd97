"""Losses against plain implementations of the papers' formulas."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from advtool import keyed, seeds
from advtool.attacks import pgd
from advtool.errors import UsageError
from advtool.models.classifier import Classifier, ModelSpec
from advtool.threat import Threat
from advtool.training.config import TrainConfig, resolve
from advtool.training.objectives import Batch, objective
from advtool.training.objectives.mart import boosted_cross_entropy
from advtool.training.options import Training

SHAPE, CLASSES = (1, 2, 2), 3


def model() -> Classifier:
    torch.manual_seed(0)
    spec = ModelSpec("linear", tuple("abc"), SHAPE, (0.5,), (0.5,))
    return Classifier(nn.Sequential(nn.Flatten(), nn.Linear(4, CLASSES)), spec)


def config(objective: str = "pgd", norm: str = "linf", threat: Threat | None = None, **wanted) -> TrainConfig:
    wanted = {"objective": objective, "label_smoothing": 0.0, "batch_size": 6, "epochs": 1} | wanted
    if objective == "mart":
        del wanted["label_smoothing"]
    found = resolve(Training(adv=norm, eps=0.1, **wanted), SHAPE, False)
    return replace(found, threats=(threat,)) if threat else found


def batch(threat: Threat | None) -> Batch:
    generator = torch.Generator().manual_seed(1)
    x = torch.rand((6, *SHAPE), generator=generator)
    return Batch(x, torch.tensor([0, 1, 2, 0, 1, 2]), torch.arange(6), 7, (threat,) if threat else ())


def probabilities(net: Classifier, x: Tensor) -> list[list[float]]:
    """Softmax by hand, in float64."""
    rows = net.double()(x.double()).tolist()
    net.float()
    return [[math.exp(z) / sum(math.exp(other) for other in row) for z in row] for row in rows]


def mean(values) -> float:
    values = list(values)
    return sum(values) / len(values)


def divergence(p: list[float], q: list[float]) -> float:
    return sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))


@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_trades_is_its_formula(norm):
    net, settings = model(), config("trades", norm, beta=3.0)
    this, kind = batch(settings.threat), objective(net, settings)
    examples = kind.examples(this)
    attacked, right = examples.x, examples.right
    p, q = probabilities(net, this.x), probabilities(net, attacked)
    expected = mean(-math.log(row[y]) for row, y in zip(p, this.y, strict=True)) + 3 * mean(map(divergence, p, q))
    outcome = kind.outcome(this)
    assert outcome.loss.item() == pytest.approx(expected, rel=1e-5)
    assert right == outcome.clean == sum(row.index(max(row)) == y for row, y in zip(p, this.y.tolist(), strict=True))


@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_trades_attack_raises_the_divergence_within_the_ball(norm):
    net, settings = model(), config("trades", norm)
    this = batch(settings.threat)
    attacked = objective(net, settings).examples(this).x
    delta = (attacked - this.x).flatten(1)
    size = delta.norm(dim=1) if norm == "l2" else delta.abs().amax(1)
    assert (size <= 0.1 + 1e-6).all() and size.max() > 0.09 and attacked.min() >= 0 and attacked.max() <= 1
    p = probabilities(net, this.x)
    found = mean(map(divergence, p, probabilities(net, attacked)))
    aimless = (this.x + (attacked - this.x).flip(0)).clamp(0, 1)
    assert found > mean(map(divergence, p, probabilities(net, aimless)))


def test_mart_is_its_formula():
    net, settings = model(), config("mart", beta=2.0)
    this = batch(settings.threat)
    attacked = pgd(
        net, this.x, this.y, this.adversary.ball, **this.adversary.options, keep="last", ids=this.ids, seed=this.seed
    )
    total = 0.0
    for p, q, y in zip(probabilities(net, this.x), probabilities(net, attacked), this.y.tolist(), strict=True):
        rival = max(q[k] for k in range(CLASSES) if k != y)
        total += -math.log(q[y]) - math.log(1 - rival) + 2 * divergence(p, q) * (1 - p[y])
    outcome = objective(net, settings).outcome(this)
    assert outcome.loss.item() == pytest.approx(total / 6, rel=1e-5)


def test_boosted_cross_entropy_stays_finite_where_the_model_is_sure():
    logits = torch.tensor([[200.0, -200.0, 0.0], [-200.0, 200.0, 0.0]], requires_grad=True)
    loss = boosted_cross_entropy(logits, torch.tensor([0, 0]))
    loss.sum().backward()
    assert loss.isfinite().all() and logits.grad.isfinite().all()
    assert loss.tolist() == pytest.approx([0, 600], abs=1e-4)


def test_the_joint_objective_is_its_formula():
    net, cross_entropy = model(), nn.CrossEntropyLoss()
    settings = config(lam=2.5)
    this = batch(settings.threat)
    attacked = pgd(
        net, this.x, this.y, this.adversary.ball, **this.adversary.options, keep="last", ids=this.ids, seed=this.seed
    )
    adversarial, clean = cross_entropy(net(attacked), this.y), cross_entropy(net(this.x), this.y)
    for lam, expected in ((0, clean), (1, adversarial), (2.5, 2.5 * adversarial - 1.5 * clean)):
        outcome = objective(net, replace(settings, lam=lam)).outcome(this)
        assert float(outcome.loss.detach()) == pytest.approx(float(expected.detach()), rel=1e-6)


def test_only_correct_images_are_attacked():
    net, settings = model(), config(attack_correct_only=True)
    this = batch(settings.threat)
    right = net(this.x).argmax(1) == this.y
    assert 0 < right.sum() < 6
    attacked = pgd(
        net, this.x, this.y, this.adversary.ball, **this.adversary.options, keep="last", ids=this.ids, seed=this.seed
    )
    seen = torch.where(right.view(-1, 1, 1, 1), attacked, this.x)
    expected = nn.functional.cross_entropy(net(seen), this.y)
    outcome = objective(net, settings).outcome(this)
    assert torch.equal(outcome.loss, expected) and outcome.clean == int(right.sum())


def test_smooth_adv_is_its_formula():
    """By hand: two draws for each image, PGD on −log of the mean probability, and the mean loss of all draws there."""
    net, threat = model(), Threat("l2", 0.3, 3, 0.1, False)
    with torch.no_grad():
        net.net[1].weight.copy_(torch.tensor([[3.0, -1.0, 0.5, 0.0], [0.0, 2.0, -4.0, 1.0], [1.0, 0.0, 0.0, -6.0]]))
    settings, this = config(norm="l2", threat=threat, noise=0.4, lam=1.5), batch(threat)
    noise = 0.4 * keyed.normal((6, 2, *SHAPE), this.ids, seeds.derive(this.seed, "noise"))

    class MeanOfTwo(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.stack([net(x + noise[:, k]).softmax(1) for k in (0, 1)]).mean(0).log()

    attacked = pgd(
        MeanOfTwo(), this.x, this.y, threat.ball, **threat.options, keep="last", ids=this.ids, seed=this.seed
    )
    assert threat.ball.norm(attacked - this.x).min() > 0.05
    losses = [
        [
            -math.log(p[label])
            for k in (0, 1)
            for p, label in zip(probabilities(net, x + noise[:, k]), this.y, strict=True)
        ]
        for x in (attacked, this.x)
    ]
    found = objective(net, settings).outcome(this)
    assert found.loss.item() == pytest.approx(1.5 * mean(losses[0]) - 0.5 * mean(losses[1]), rel=1e-4)
    assert found.clean == (MeanOfTwo()(this.x).argmax(1) == this.y).sum()
    assert net.training


def test_noise_has_the_deviation_asked_for_and_is_keyed_by_the_image():
    seen = []
    net = model()
    net.net.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0] * 0.5 + 0.5))
    x = torch.rand(4000, *SHAPE)
    settings = resolve(Training(noise=0.25, epochs=1), SHAPE, False)
    for ids in (torch.arange(4000), torch.arange(4000).flip(0)):
        objective(net, settings).outcome(Batch(x, torch.zeros(4000, dtype=torch.long), ids, 3))
    noise = seen[0] - x
    assert float(noise.std()) == pytest.approx(0.25, rel=0.03) and abs(float(noise.mean())) < 0.01
    assert seen[0].min() < 0 and seen[0].max() > 1
    assert torch.allclose(noise, (seen[1] - x).flip(0), atol=1e-6)


def test_fast_takes_one_step_of_five_quarters_eps_from_a_random_point():
    threat = Threat.training("linf", 0.1, objective="fast")
    assert (threat.steps, threat.step_size, threat.random_start) == (1, pytest.approx(0.125), True)
    net, settings = model(), config("fast", threat=threat)
    this = replace(batch(threat), x=torch.full((6, *SHAPE), 0.5))
    start = pgd(
        net, this.x, this.y, threat.ball, **replace(threat, steps=0).options, keep="last", ids=this.ids, seed=this.seed
    )
    point = start.clone().requires_grad_()
    nn.functional.cross_entropy(net(point), this.y, reduction="sum").backward()
    delta = (start - 0.5 + 0.125 * point.grad.sign()).clamp(-0.1, 0.1)
    outcome = objective(net, settings).outcome(this)
    expected = nn.functional.cross_entropy(net(0.5 + delta), this.y)
    assert float(outcome.loss.detach()) == pytest.approx(float(expected.detach()), rel=1e-5)
    assert outcome.clean is None


@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_free_replays_a_batch_and_carries_the_perturbation_over(norm):
    net, by_hand, settings = model(), model(), config("free", norm, replays=3)
    kind, rate, eps = objective(net, settings), 0.5, 0.1
    assert kind.replays == 3
    delta = torch.zeros(6, *SHAPE)
    for x in (batch(None).x, 1 - batch(None).x):
        this = replace(batch(settings.threat), x=x)
        for _ in range(3):
            net.zero_grad()
            kind.outcome(this).loss.backward()
            with torch.no_grad():
                for parameter in net.parameters():
                    parameter -= rate * parameter.grad
            kind.stepped()
            # algorithm 1, written out
            point = delta.clone().requires_grad_()
            loss = nn.functional.cross_entropy(by_hand((x + point).clamp(0, 1)), this.y)
            gradients = torch.autograd.grad(loss, [point, *by_hand.parameters()])
            with torch.no_grad():
                for parameter, gradient in zip(by_hand.parameters(), gradients[1:], strict=True):
                    parameter -= rate * gradient
            if norm == "linf":
                delta = (delta + eps * gradients[0].sign()).clamp(-eps, eps)
            else:
                delta = delta + eps * gradients[0] / gradients[0].flatten(1).norm(dim=1).view(-1, 1, 1, 1)
                delta = delta * (eps / delta.flatten(1).norm(dim=1).clamp_min(eps)).view(-1, 1, 1, 1)
    assert torch.allclose(kind.state()["delta"], delta, atol=1e-5)
    for ours, reference in zip(net.parameters(), by_hand.parameters(), strict=True):
        assert torch.allclose(ours, reference, atol=1e-5)


def test_free_takes_a_batch_of_one_image_more():
    net, settings = model(), config("free", replays=2)
    kind, this = objective(net, settings), batch(settings.threat)
    more = replace(this, x=torch.cat([this.x, this.x[:1]]), y=torch.cat([this.y, this.y[:1]]))
    for each in (this, more, this):
        kind.outcome(each).loss.backward()
        kind.stepped()
    state = kind.state()
    assert len(state["delta"]) == len(this.x) + 1
    other = objective(net, settings)
    other.restore(state)
    assert torch.equal(other.state()["delta"], state["delta"])


@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_n_fgsm_is_its_definition(norm):
    net, settings = model(), config("n-fgsm", norm)
    this = batch(settings.threat)
    ball = settings.threat.ball
    attacked = objective(net, settings).examples(this).x
    noise = ball.with_eps(2 * ball.eps).random(this.x, this.ids, seeds.derive(this.seed, "noise"))
    assert ball.eps < float(ball.norm(noise).max()) <= 2 * ball.eps
    start = (this.x + noise).clamp(0, 1).requires_grad_()
    nn.functional.cross_entropy(net(start), this.y, reduction="sum").backward()
    flat = start.grad.flatten(1)
    step = flat.sign() if norm == "linf" else flat / flat.norm(dim=1, keepdim=True)
    expected = (start.detach() + ball.eps * step.view_as(this.x)).clamp(0, 1)
    torch.testing.assert_close(attacked, expected)
    assert float(ball.norm(attacked - this.x).max()) > ball.eps  # it is not projected


@pytest.mark.parametrize("name", ["pgd", "trades", "mart", "n-fgsm"])
def test_awp_takes_the_gradient_at_perturbed_weights(name):
    gamma, net = 0.2, model()
    settings = config(name, "l2", awp=gamma)
    this, plain = batch(settings.threat), objective(net, replace(settings, awp=0.0))
    before = {key: value.detach().clone() for key, value in net.state_dict().items()}
    examples = plain.examples(this)
    (first,) = torch.autograd.grad(plain.loss(this, examples).loss, [net.net[1].weight])
    weight = before["net.1.weight"]
    moved = weight + gamma * weight.norm() * first / first.norm()
    net.net[1].weight.data.copy_(moved)
    expected = torch.autograd.grad(plain.loss(this, examples).loss, [*net.net.parameters()])
    net.load_state_dict(before)

    kind = objective(net, settings)
    outcome = kind.outcome(this)
    torch.testing.assert_close(net.net[1].weight, moved)
    assert torch.equal(net.net[1].bias, before["net.1.bias"])
    outcome.loss.backward()
    kind.differentiated()
    torch.testing.assert_close(net.net[1].weight, weight)
    for parameter, gradient in zip(net.net.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, gradient)


def test_awp_lets_running_statistics_see_a_batch_once():
    def trained(awp: float) -> Tensor:
        torch.manual_seed(0)
        spec = ModelSpec("linear", tuple("abc"), SHAPE, (0.5,), (0.5,))
        net = Classifier(nn.Sequential(nn.BatchNorm2d(1), nn.Flatten(), nn.Linear(4, CLASSES)), spec).train()
        settings = config("pgd", "l2", awp=awp)
        objective(net, settings).outcome(batch(settings.threat))
        assert net.net[0].num_batches_tracked == 1
        return net.net[0].running_mean

    torch.testing.assert_close(trained(0.1), trained(0.0))


def union(kind: str = "worst", norms: str = "linf,l2,l1", eps: tuple[float, ...] = (0.1, 0.25, 0.5)) -> TrainConfig:
    asked = Training(adv=norms, eps=eps, union=kind, label_smoothing=0.0, batch_size=6, epochs=1)
    return resolve(asked, SHAPE, False)


def test_the_worst_of_several_norms_is_chosen_for_each_image_by_its_loss():
    """Tramer and Boneh 2019, the max strategy: by hand, each attack on its own and each loss on its own."""
    net, settings = model(), union(eps=(0.1, 0.17, 0.2))
    net.net[1].weight.data = torch.tensor([[8.0, 0.1, 0.0, 0.3], [0.5, -1.0, 0.2, 0.0], [1.0, 2.0, -2.0, 1.0]])
    this = replace(batch(None), threats=settings.threats)
    found = objective(net, settings).examples(this).x
    losses, images = [], []
    for threat in settings.threats:
        made = pgd(net, this.x, this.y, threat.ball, **threat.options, keep="last", ids=this.ids, seed=this.seed)
        images.append(made)
        losses.append([-math.log(row[label]) for row, label in zip(probabilities(net, made), this.y, strict=True)])
    chosen = [max(range(3), key=lambda norm, image=image: losses[norm][image]) for image in range(6)]
    for image, norm in enumerate(chosen):
        torch.testing.assert_close(found[image], images[norm][image], atol=1e-5, rtol=0)
    assert {*chosen} == {0, 1, 2}


def test_each_norm_of_a_union_has_its_own_steps():
    threats = union("random").threats
    assert [(threat.norm, threat.eps, threat.steps) for threat in threats] == [
        ("linf", 0.1, 7),
        ("l2", 0.25, 7),
        ("l1", 0.5, 7),
    ]
    assert [threat.step_size for threat in threats] == pytest.approx([0.025, 0.05, 0.1])
    assert [threat.random_start for threat in threats] == [True, False, False]
    single = config(norm="l2")
    assert single.union is None and single.to_json()["threat"]["norm"] == "l2" and "union" not in single.to_json()
    recorded = union("worst").to_json()
    assert [each["norm"] for each in recorded["threat"]] == ["linf", "l2", "l1"] and recorded["union"] == "worst"


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"adv": "l2,linf", "eps": 0.5}, "eps 0.5: 2 norms need as many radii"),
        ({"adv": "l2", "eps": (0.5, 0.1)}, "eps 0.5,0.1: 1 norms|one radius"),
        ({"adv": "l2,l2", "eps": (0.5, 0.1)}, "twice"),
        ({"adv": "none,l2", "eps": (0.5, 0.1)}, "none stands by itself"),
        ({"adv": "l2,linf", "eps": (0.5, 8.0)}, "8/255"),
        ({"adv": "l2,linf", "eps": (0.5, 0.1), "step_size": 0.1}, "step_size"),
        ({"adv": "l2", "eps": 0.5, "union": "worst"}, "union worst: is for several norms"),
        ({"adv": "l2,l0", "eps": (0.5, 3.0)}, "l0"),
        ({"adv": "l2,linf"}, "eps: is needed with an adversary, such as 0.5,8/255"),
        *(
            ({"adv": "l2,linf", "eps": (0.5, 0.1), "objective": kind}, f"objective {kind}: is for one norm; pgd")
            for kind in ("trades", "mart", "fast", "n-fgsm", "free")
        ),
    ],
)
def test_what_makes_no_union_is_refused(asked, words):
    with pytest.raises(UsageError, match=words):
        Training(**asked).validate()
