"""Models whose answers change from call to call: closed forms of linear models with noise, and what is said of them."""

import math

import pytest
import torch
from attack_problems import linear_problem, survivors
from evaluation_problems import digits, linear, tensors
from scipy.stats import binom, norm
from torch import Tensor, nn

from advtool import norms, registry
from advtool.attacks import L2
from advtool.errors import Note, UsageError
from advtool.evaluation import evaluate
from advtool.evaluation.expected import _judged
from advtool.evaluation.plan import Evaluation
from advtool.evaluation.statistics import accuracy, expected, wilson
from advtool.models.classifier import Classifier, ModelSpec
from advtool.prepared import Network

DUAL = {"l2": 2, "linf": 1}


class Noise(nn.Module):
    """Gaussian noise before a network, in every call."""

    def __init__(self, net: nn.Module, deviation: float):
        super().__init__()
        self.net, self.deviation = net, deviation

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x + self.deviation * torch.randn_like(x))


class Shifts(nn.Module):
    """Images resized by a random factor and put back, in every call."""

    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        size = int(torch.randint(5, 9, ()))
        small = nn.functional.interpolate(x, size=(size, size), mode="bilinear", antialias=True)
        return self.net(nn.functional.interpolate(small, size=(8, 8), mode="bilinear"))


class Drops(nn.Module):
    """Pixels dropped in every call, whatever the mode."""

    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        return self.net(nn.functional.dropout(x, 0.3, training=True))


def measured(model: nn.Module, images: tuple[Tensor, Tensor], **options) -> dict:
    with pytest.warns(Note) as notes:
        report = evaluate(model, images, **options)
    assert "calls of" in str(notes[-1].message)
    return report


@pytest.mark.parametrize("adv", ["l2", "linf"])
@pytest.mark.parametrize("attack", ["pgd", "autoattack-rand"])
def test_expected_accuracy_of_a_linear_model_with_noise_has_a_closed_form(adv, attack):
    net, x, y, distances = linear_problem(150, 64)
    w = (net[1].weight[1] - net[1].weight[0]).detach()
    assert w.abs().max() > 3 * w.abs().median()
    eps, deviation = float(distances[adv].quantile(0.4)), 0.02
    margins = (distances[adv].double() - eps) * float(w.norm(p=DUAL[adv]))
    exact = norm.cdf((margins / (deviation * float(w.norm()))).numpy()).mean()
    clean = norm.cdf((distances["l2"].double() / deviation).numpy()).mean()
    found = measured(
        Noise(net, deviation), (x, y), adv=adv, eps=eps, attack=attack, steps=20, eot=20, calls=40, checks=False
    )
    (entry,) = found["adversarial"]
    assert entry["eot"] == 20 and entry["calls"] == 40
    for report, truth in ((entry, exact), (found["clean"], clean)):
        low, high = report["ci95"]
        assert low <= truth <= high and 0 < high - low < 0.2
    # From call to call alone the images given vary less than that.
    assert entry["accuracy"] == pytest.approx(exact, abs=0.02)
    assert entry["risk"]["adversarial"] == pytest.approx(found["clean"]["accuracy"] - entry["accuracy"])


def test_votes_make_a_linear_model_with_noise_the_model_without():
    """Most calls answer as the noiseless model; only within the votes' chance of the boundary may that be otherwise."""
    net, x, y, distances = linear_problem(150, 64)
    eps, deviation, calls = float(distances["l2"].quantile(0.4)), 0.003, 60
    found = measured(Noise(net, deviation), (x, y), adv="l2", eps=eps, steps=20, calls=calls, votes=True, checks=False)
    (entry,) = found["adversarial"]
    slack = 4 * deviation / math.sqrt(calls)
    least, most = ((distances["l2"] > eps + sign * slack).sum() for sign in (1, -1))
    assert least <= entry["correct"] <= most + 3 and entry["correct"] == int(entry["correct"])
    assert entry["eot"] == 20 and entry["calls"] == calls and most - least < 50
    assert found["clean"]["correct"] >= (distances["l2"] > slack).sum()


def test_a_vote_that_is_tied_or_lost_is_not_right():
    class Turns(nn.Module):
        """Answers 0, 1, 2, 1, 0, … to all images."""

        def __init__(self):
            super().__init__()
            self.calls = 0

        def forward(self, x: Tensor) -> Tensor:
            answer = (0, 1, 2, 1)[self.calls % 4]
            self.calls += 1
            return torch.eye(3)[answer].expand(len(x), 3)

    network, x = Network(Turns()), torch.rand(3, 1, 1, 1)
    y = torch.tensor([0, 1, 2])
    assert _judged(Evaluation(calls=8, votes=True), network, x, y).tolist() == [0, 1, 0]
    assert _judged(Evaluation(calls=2, votes=True), network, x, y).tolist() == [0, 0, 0]
    assert _judged(Evaluation(calls=8), network, x, y).tolist() == [0.25, 0.5, 0.25]


@pytest.mark.parametrize("name", [name for name, attack in registry.ATTACKS.items() if "eot" in attack.takes])
def test_on_a_model_that_always_answers_the_same_it_changes_nothing(name):
    model, (x, y) = linear(), tensors(digits(40))
    for adv in set(registry.get(name).made_for()) & {"l2", "linf", "l1"}:
        ball = norms.ball(adv, {"l2": 0.4, "linf": 0.05, "l1": 2.0}[adv])
        asked = {"steps": 10} if "steps" in registry.get(name).takes else {}
        plain, averaged = (registry.get(name).plan(ball, {**asked, "eot": eot})(model, x, y) for eot in (1, 20))
        assert torch.equal(plain, averaged)


@pytest.mark.parametrize("random", [Shifts, Drops])
def test_averaging_over_a_random_defence_is_stronger_than_one_call_and_the_flag_goes(random):
    model, images = random(linear()), tensors(digits())
    single, mean = (measured(model, images, adv="l2", eps=0.5, steps=20, eot=eot, seed=1) for eot in (1, 10))
    accuracy, averaged = (report["adversarial"][0]["accuracy"] for report in (single, mean))
    assert averaged < accuracy + 0.01 and averaged < single["clean"]["accuracy"]
    assert "random-outputs" in {flag["name"] for flag in single["flags"]}
    assert "random-outputs" not in {flag["name"] for flag in mean["flags"]}


def test_autoattack_is_the_version_for_random_models_and_that_is_said():
    with pytest.warns(Note, match="autoattack-rand in place of autoattack"):
        found = evaluate(Drops(linear()), tensors(digits(20)), adv="l2", eps=0.3, attack="autoattack", steps=3, calls=4)
    (entry,) = found["adversarial"]
    assert entry["ensemble"] == "autoattack (rand)" and entry["attack"] == "apgd-ce,apgd-dlr" and entry["eot"] == 20
    deterministic = evaluate(linear(), tensors(digits(20)), adv="l2", eps=0.3, attack="autoattack", steps=3)
    assert deterministic["adversarial"][0]["ensemble"] == "autoattack (standard)"
    assert deterministic["adversarial"][0]["calls"] is None


@pytest.mark.filterwarnings("ignore::advtool.errors.Note")
@pytest.mark.parametrize(
    ("options", "parameter"),
    [
        ({"base": linear()}, "base"),
        ({"per_sample": "samples.jsonl"}, "per_sample"),
        ({"steps": [1, 2]}, "steps"),
    ],
)
def test_what_is_for_constant_models_is_refused(options, parameter, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as caught:
        evaluate(Drops(linear()), tensors(digits(20)), adv="l2", eps=0.3, **{"steps": 2, **options})
    assert caught.value.parameter == parameter


def test_the_same_seed_gives_the_same_and_the_generator_is_left_alone():
    images = tensors(digits(30))
    before = torch.random.get_rng_state()
    first, again, other = (
        measured(Drops(linear()), images, adv="l2", eps=0.3, steps=3, eot=2, seed=seed, checks=False)
        for seed in (0, 0, 1)
    )
    for report in (first, again, other):
        del report["seconds"], report["images_per_second"], report["adversarial"][0]["breakdown"]
    assert first == again and first["adversarial"] != other["adversarial"]
    assert torch.equal(torch.random.get_rng_state(), before)


def test_noise_is_part_of_a_model():
    spec = ModelSpec("linear", tuple("ab"), (1, 8, 8), (0.5,), (0.5,))
    model = Classifier(nn.Sequential(nn.Flatten(), nn.Linear(64, 2)), spec)
    x = torch.rand(4000, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    still = model(x)
    assert torch.equal(still, model(x))
    model.noise = 0.25
    deviation = (model(x) - still).std(0)
    torch.testing.assert_close(deviation, 0.5 * model.net[1].weight.norm(dim=1), rtol=0.05, atol=0)
    held = registry.get("pgd").plan(L2(0.5), {"steps": 3, "eot": 2})(model, x[:9], torch.zeros(9, dtype=torch.int64))
    assert L2().norm(held - x[:9]).max() <= 0.5 * (1 + 1e-6)


def test_intervals_count_images_and_calls():
    whole = expected(30.0, 30.0, 50, 20)
    assert {name: whole[name] for name in ("accuracy", "n")} == {"accuracy": 0.6, "n": 50}
    narrow, wide = whole["ci95"], accuracy(30, 50)["ci95"]
    assert narrow == pytest.approx(wide, abs=5e-3)  # every image is all right or all wrong
    alike = expected(50 * 0.6, 50 * 0.36, 50, 20)["ci95"]  # all images alike: only calls would vary
    assert alike == pytest.approx([round(x, 6) for x in wilson(600, 1000)])
    assert expected(50.0, 50.0, 50, 20)["ci95"] == accuracy(50, 50)["ci95"]
    covered, generator = 0, torch.Generator().manual_seed(0)
    for _ in range(400):
        shares = torch.rand(60, generator=generator, dtype=torch.float64).pow(0.5)  # their mean is 2/3
        calls = torch.tensor(binom.rvs(10, shares.numpy(), random_state=int(shares[0] * 1e9) % 2**31)) / 10
        low, high = expected(float(calls.sum()), float(calls.square().sum()), 60, 10)["ci95"]
        covered += low <= 2 / 3 <= high
    assert 0.92 <= covered / 400 <= 0.98 and math.isfinite(high)


def test_survivors_of_a_random_model_are_those_of_its_noiseless_self_far_from_the_boundary():
    net, x, y, distances = linear_problem(60, 64)
    far = distances["l2"] > distances["l2"].quantile(0.9)
    found = registry.get("fab-t").plan(L2(0.01), {"eot": 5})(Noise(net, 1e-3), x, y)
    assert survivors(net, found, y)[far].all()
