import numpy as np
import pytest
import torch
from scipy.stats import binomtest
from torch import nn

from advtool.attacks import L2, Linf, pgd
from advtool.data.arrays import Images, load
from advtool.data.sources import resolve
from advtool.device import Settings
from advtool.errors import AdvtoolError
from advtool.evaluation.evaluate import evaluate, risk
from advtool.evaluation.statistics import wilson
from advtool.registry import get

CPU = torch.device("cpu")


@pytest.mark.parametrize(("correct", "n"), [(0, 10), (10, 10), (357, 360), (1, 1), (5000, 10_000)])
def test_wilson_intervals_are_scipys(correct, n):
    reference = binomtest(correct, n).proportion_ci(0.95, method="wilson")
    assert wilson(correct, n) == pytest.approx((reference.low, reference.high), abs=1e-12)


def digits(n: int = 90) -> Images:
    return load(resolve("digits", "test"), n)


def model() -> nn.Module:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    optimizer = torch.optim.Adam(net.parameters(), 0.02)
    images = load(resolve("digits", "train"))
    x, y = torch.tensor(images.pixels).float() / 255, torch.tensor(images.labels)
    for _ in range(60):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        optimizer.step()
    return net


def test_counts_are_those_counted_by_hand():
    net, images, threat = model(), digits(), get("pgd").plan(L2(0.3), {"steps": 10})
    report = evaluate(net, images, [threat], Settings(CPU, batch_size=32))
    x, y = torch.tensor(images.pixels).float() / 255, torch.tensor(images.labels)
    clean = net(x).argmax(1) == y
    robust = clean & (net(pgd(net, x, y, L2(0.3), steps=10)).argmax(1) == y)
    assert report["clean"]["correct"] == int(clean.sum())
    entry = report["adversarial"][0]
    assert entry["correct"] == int(robust.sum()) and entry["n"] == 90
    assert 0 < entry["correct"] < report["clean"]["correct"]
    assert entry["risk"] == pytest.approx(
        {
            "classification": 1 - report["clean"]["accuracy"],
            "adversarial": report["clean"]["accuracy"] - entry["accuracy"],
            "joint": 1 - entry["accuracy"],
        }
    )


def test_results_do_not_depend_on_the_batch_size():
    net, images = model(), digits()
    options = {"steps": 5, "random_start": True, "restarts": 2}
    threats = [get("pgd").plan(Linf(0.1), {"steps": 5}), get("pgd").plan(L2(0.5), options)]
    reports = [evaluate(net, images, threats, Settings(CPU, batch_size=size)) for size in (1, 7, 90)]
    assert reports[0] == reports[1] == reports[2]


def test_float_shards_and_images_give_the_same_report():
    images = digits()
    as_float = Images(
        images.pixels.astype(np.float32) / np.float32(255), images.labels, images.keys, images.head, "f", None
    )
    net, threat = model(), get("pgd").plan(L2(0.3), {"steps": 5})
    assert evaluate(net, images, [threat], Settings(CPU)) == evaluate(net, as_float, [threat], Settings(CPU))


def test_logits_that_are_not_numbers_stop_the_evaluation():
    net = model()
    with torch.no_grad():
        net[1].bias[3] = float("nan")
    with pytest.raises(AdvtoolError, match="not finite"):
        evaluate(net, digits(), [], Settings(CPU))


def test_risk_with_a_weight():
    assert risk(90, 60, 100, lam=2.0) == pytest.approx({"classification": 0.1, "adversarial": 0.3, "joint": 0.7})
