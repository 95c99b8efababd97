"""A step of an attack, of training, of distillation waits for no GPU: at most every 16 steps, and once a call."""

import contextlib
import inspect

import pytest
import torch
from torch import nn
from waits import Waits, counted

from advtool import norms, registry
from advtool.ball import Linf
from advtool.datasets.distill import distill
from advtool.explain import saliency
from advtool.models.classifier import Classifier, ModelSpec
from advtool.prepared import prepare
from advtool.training.average import Average
from advtool.training.config import resolve
from advtool.training.kinds import OBJECTIVES
from advtool.training.objectives import Batch, objective
from advtool.training.options import Training

SHAPE, CLASSES, N = (3, 6, 6), 3, 6
SAME = {"fab-t", "apgd-ce"}
"""Names of attacks that are there by another name."""

ATTACKS = [(name, norm) for name, attack in registry.ATTACKS.items() if name not in SAME for norm in attack.made_for()]


def model() -> Classifier:
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, CLASSES)
    )
    spec = ModelSpec("cnn", tuple("abc"), SHAPE, (0.5,) * 3, (0.25,) * 3)
    return Classifier(net, spec).to("meta").eval()


def images() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    ids = torch.arange(N, device="meta")
    return torch.rand(N, *SHAPE, device="meta"), torch.zeros(N, dtype=torch.int64, device="meta"), ids


def cost(name: str, norm: str, amp: bool, steps: int, targeted: bool) -> Waits:
    """What an attack waits for in so many steps."""
    attack, (x, y, ids) = registry.get(name), images()
    wanted = {"steps": steps, "restarts": 2, "targeted": targeted, "early_stop": True, "binary_search_steps": 1}
    wanted |= dict(attack.fixed)
    taken = inspect.signature(attack.load()).parameters
    network = prepare(model(), x, amp)
    with counted() as found:
        options = {option: value for option, value in wanted.items() if option in taken}
        attack.load()(network, x, y, norms.ball(norm, 0.1), ids=ids, **options)
    return found


@pytest.mark.parametrize(("name", "norm"), ATTACKS)
def test_a_step_of_an_attack_waits_for_nothing(name, norm):
    ways = [(True, False), (False, "targeted" in registry.get(name).takes)]
    for amp, targeted in ways:
        few, many = (cost(name, norm, amp, steps, targeted) for steps in (4, 8))
        assert not many.strays, dict(many.strays)
        assert many.waits == few.waits


@pytest.mark.parametrize("norm", ["l2", "linf"])
@pytest.mark.parametrize("name", [*OBJECTIVES, "none"])
def test_a_batch_of_training_waits_at_the_end_of_its_attack_alone(name, norm, monkeypatch):
    monkeypatch.setattr(torch, "autocast", lambda *arguments, **options: contextlib.nullcontext())  # not for meta
    asked = {"adv": norm, "eps": 0.1, "objective": name} if name != "none" else {}
    if "awp" in getattr(OBJECTIVES.get(name), "takes", ()):
        asked["awp"] = 0.01
    config = resolve(Training(**asked, batch_size=N, ema=True), SHAPE, False)
    net, (x, y, ids) = model().train(), images()
    kind, average = objective(net, config), Average(net, 0.9)
    optimizer = torch.optim.SGD(net.parameters(), 0.1, momentum=0.9, weight_decay=1e-4)

    def step() -> None:
        outcome = kind.outcome(Batch(x, y, ids, 1, config.threats))
        optimizer.zero_grad(set_to_none=True)
        outcome.loss.backward()
        kind.differentiated()
        optimizer.step()
        kind.stepped()
        average.update(net)

    with counted():
        step()
    with counted() as found:
        step()
    assert not found.strays, dict(found.strays)
    assert set(place.partition(":")[0] for place in found.waits) <= {"base.py", "network.py"}
    assert found.waits.total() <= 2, dict(found.waits)


def test_steps_of_distillation_wait_for_nothing():
    x, _, _ = images()
    few, many = [], []
    for steps, kept in ((4, few), (8, many)):
        with counted() as found:
            distill(nn.Flatten(), x, x, steps)
        assert not found.strays
        kept.append(found.waits)
    assert few == many


def test_gradients_that_are_averaged_wait_for_nothing():
    net, (x, y, ids) = model(), images()
    for method in (
        lambda steps: saliency.smoothgrad(net, x, y, copies=steps, ids=ids),
        lambda steps: saliency.integrated_gradients(net, x, y, steps=steps),
    ):
        costs = []
        for steps in (4, 8):
            with counted() as found:
                method(steps)
            assert not found.strays, dict(found.strays)
            costs.append(found.waits)
        assert costs[0] == costs[1]


def test_what_waits_and_what_strays_is_seen():
    x, _, _ = images()
    with counted() as found:
        assert not (x > 0).any()
        x[x[:, 0, 0, 0] > 0]
        torch.tensor([1.0], device="meta")
        torch.ones(3).to("meta")
        float(x.sum())
    assert found.waits.total() == 3 and found.strays.total() == 2
    with counted() as found, pytest.raises(RuntimeError):
        Linf(0.1).norm(x + torch.zeros(N, *SHAPE))
