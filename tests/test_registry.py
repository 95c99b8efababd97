"""Attacks and norms by name: what is asked, what is resolved, and how one is added."""

import math
import subprocess
import sys
from dataclasses import dataclass

import pytest
import torch
from attack_problems import Curved, batch, linear_problem, survivors
from tests_support import environment

from advtool import norms, registry
from advtool.attacks import L2, Ball, Linf
from advtool.ball import per_example
from advtool.ball.ways import at_speed
from advtool.errors import UsageError


def test_nothing_heavy_is_imported():
    code = "import advtool.registry, sys; print([m for m in ('torch', 'numpy', 'advtool.attacks') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_balls_by_name():
    assert norms.ball("l2", 0.5) == L2(0.5) != Linf(0.5) and norms.ball("linf") == Linf(float("inf"))
    assert L2(0.5).with_eps(2) == L2(2) and not L2().is_bounded
    assert L2().diameter((3, 2, 2)) == pytest.approx(12**0.5) and Linf(0.1).diameter((3, 2, 2)) == 1
    with pytest.raises(UsageError, match="linf"):
        norms.ball("lnf", 0.5)
    for eps in (-1, float("nan")):
        with pytest.raises(UsageError, match="≥ 0"):
            L2(eps)
    with pytest.raises(UsageError, match="8/255"):
        norms.check_radius("linf", 8)
    norms.check_radius("l2", 8)
    norms.check_radius("l2", math.sqrt(3 * 32 * 32), (3, 32, 32))
    norms.check_radius("l2", math.inf, (3, 32, 32))
    with pytest.raises(UsageError, match="images of 3×32×32 are at most 55.43 apart; did you mean 128/255"):
        norms.check_radius("l2", 128, (3, 32, 32))
    for norm in norms.NORMS.values():
        assert norms.ball(norm.name).name == norm.name


def test_what_is_not_asked_is_resolved():
    pgd = registry.get("pgd")
    assert pgd.resolve(L2(0.5), {}) == {
        "steps": 50,
        "step_size": pytest.approx(0.025),
        "random_start": False,
        "restarts": 1,
        "keep": "best",
        "targeted": False,
        "eot": 1,
    }
    asked = {"steps": 5, "targeted": True, "loss": None}
    found = pgd.plan(Linf(0.1), asked).to_json()
    assert found == {
        "attack": "pgd",
        "adv": "linf",
        "eps": 0.1,
        "steps": 5,
        "step_size": pytest.approx(0.05),
        "random_start": True,
        "restarts": 1,
        "loss": None,
        "keep": "last",
        "targeted": True,
        "eot": 1,
    }
    assert registry.get("cw").plan(L2()).to_json() == {
        **dict.fromkeys(found),
        "attack": "cw",
        "adv": "l2",
        "steps": 1000,
        "targeted": False,
        "eot": 1,
    }
    assert registry.get("apgd-dlr").resolve(L2(1), {})["loss"] == "dlr"


@pytest.mark.parametrize("name", registry.ATTACKS)
def test_zero_is_zero(name):
    attack = registry.get(name)
    for option in attack.takes & {"steps", "step_size"}:
        ball = norms.ball(attack.made_for()[0], 1)
        assert attack.resolve(ball, {option: 0})[option] == 0


@pytest.mark.parametrize(
    ("name", "asked", "words"),
    [
        ("fgsm", {"steps": 7}, "steps: fgsm has no such option; pgd, "),
        ("apgd", {"step_size": 0.1}, "step_size: apgd has no such option; pgd, mi-fgsm, di-mi-fgsm do"),
        ("cw", {"restarts": 9}, "restarts"),
        ("apgd-t", {"targeted": True}, "targeted"),
        ("apgd-dlr", {"targeted": True}, "targeted"),
        ("apgd", {"targeted": True, "loss": "dlr"}, "loss dlr"),
        ("apgd", {"loss": "cw"}, "loss: unknown loss"),
        ("apgd-ce", {"loss": "dlr"}, "loss"),
        ("pgd", {"stps": 5}, "stps"),
        ("pgd", {"steps": -1}, "steps -1: must be at least 0"),
        ("square", {"restarts": 0}, "restarts 0: must be at least 1"),
    ],
)
def test_what_an_attack_does_not_take_is_refused(name, asked, words):
    with pytest.raises(UsageError) as error:
        registry.get(name).plan(L2(0.5), asked)
    assert words in str(error.value) and error.value.parameter == [*asked][-1]


def test_in_an_ensemble_each_option_goes_to_those_that_take_it():
    plans = registry.plans(registry.ensemble("fgsm,apgd"), L2(0.5), {"steps": 5, "loss": "dlr", "restarts": 1})
    assert [plan.options.get("steps") for plan in plans] == [None, 5]
    assert plans[1].options["loss"] == "dlr"
    with pytest.raises(UsageError, match="step_size: fgsm, apgd has no"):
        registry.plans(registry.ensemble("fgsm,apgd"), L2(0.5), {"step_size": 0.1})
    for name, members in registry.AUTOATTACK.items():
        assert [attack.name for attack in registry.ensemble(name)] == [*members]


def test_the_versions_of_autoattack_are_the_published_ones():
    def planned(name: str, norm: str, **asked: object) -> dict[str, dict]:
        ball = norms.ball(norm, 0.1)
        return {plan.name: {**plan.options} for plan in registry.plans(registry.ensemble(name, norm), ball, asked)}

    standard, sparse = planned("autoattack", "linf"), planned("autoattack", "l1")
    assert {each["restarts"] for each in standard.values()} == {1} and standard["square"]["steps"] == 5000
    assert sparse["apgd-ce"]["restarts"] == 5 and sparse["apgd-t"]["target_classes"] == 5
    plus = planned("autoattack-plus", "l2")
    assert [each["restarts"] for each in plus.values()] == [5, 5, 5, 1, 1, 1]
    assert [each["eot"] for each in planned("autoattack-rand", "l2").values()] == [20, 20]
    assert planned("autoattack-rand", "l2", eot=3)["apgd-dlr"]["eot"] == 3


def test_names_of_ensembles_are_checked():
    with pytest.raises(UsageError, match="twice"):
        registry.ensemble("autoattack,square")
    with pytest.raises(UsageError, match="autoattack"):
        registry.ensemble("autoatack")


@dataclass(frozen=True)
class L3(Ball):
    """A norm that the package does not know."""

    name = "l3"

    def norm(self, delta):
        return delta.flatten(1).abs().pow(3).sum(1).pow(1 / 3)

    def step(self, gradient):
        direction = gradient.nan_to_num(nan=0.0).sign() * gradient.abs().sqrt()
        return direction / per_example(self.norm(direction), direction).clamp_min(1e-30)

    def dual(self, gradient):
        return gradient.flatten(1).abs().pow(1.5).sum(1).pow(2 / 3)

    def shortest(self, size, room, wanted):
        return at_speed(size, room, wanted, size.sqrt())

    def _project(self, delta):
        return delta * (self.eps / per_example(self.norm(delta), delta).clamp_min(self.eps))

    def _within(self, delta, radius):
        return delta * per_example((radius / self.norm(delta).clamp_min(1e-30)).clamp_max(1), delta)

    def _random(self, like, ids, seed):
        return self._project(Linf(self.eps).random(like, ids, seed))


def towards_grey(model, inputs, labels, ball, *, steps: int = 3, ids=None, seed=0, amp=False):
    """An attack that the package does not know."""
    x = inputs
    for _ in range(steps):
        x = inputs + ball.project(0.9 * x + 0.05 - inputs)
    return x


@pytest.fixture
def toys(monkeypatch):
    monkeypatch.setitem(norms.NORMS, "l3", norms.Norm("l3", f"{__name__}:L3"))
    grey = registry.Attack("grey", f"{__name__}:towards_grey", frozenset({"steps"}), gradients=False)
    monkeypatch.setitem(registry.ATTACKS, "grey", grey)


@pytest.mark.parametrize("name", ["fgsm", "pgd", "apgd", "apgd-t", "fab"])
def test_a_norm_is_one_class_and_one_line(toys, name):
    model, x, y, _ = linear_problem(30, 64)
    w = model[1].weight[1] - model[1].weight[0]
    with torch.no_grad():
        logits = model(x)
        distance = (logits[:, 1] - logits[:, 0]).abs() / w.abs().pow(1.5).sum().pow(2 / 3)
    eps = float(distance.median()) * 1.0005
    ball = norms.ball("l3", eps)
    found = registry.get(name).plan(ball)(model, x, y)
    assert ball.norm(found.double() - x.double()).max() <= eps * (1 + 1e-6)
    clear = (distance / eps - 1).abs() > 1e-3
    assert torch.equal(survivors(model, found, y)[clear], (distance > eps)[clear])
    with pytest.raises(UsageError, match="l2 or linf or l1"):
        registry.get("square").plan(ball)


def test_an_attack_is_one_function_and_one_line(toys):
    model, (x, y) = Curved().eval(), batch()
    attack = registry.get("grey").plan(L2(0.2), {"steps": 4})
    assert attack.to_json() == {
        **dict.fromkeys(attack.to_json()),
        "attack": "grey",
        "adv": "l2",
        "eps": 0.2,
        "steps": 4,
    }
    assert 0.1 < L2().norm(attack(model, x, y) - x).max() <= 0.2 * (1 + 1e-5)
