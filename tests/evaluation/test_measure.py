"""Ensembles, curves, relative risk and transfer against counts made by hand."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from evaluation_problems import SETTINGS, digits, linear, stage, tensors
from torch import nn

from advtool import registry
from advtool.attacks import L2, Linf, pgd
from advtool.data.arrays import Images
from advtool.device import Settings
from advtool.errors import AdvtoolError
from advtool.evaluation.counts import total
from advtool.evaluation.curves import strongest_of
from advtool.evaluation.entries import described, plateau, risk
from advtool.evaluation.measure import accuracies, correct_clean, measure
from advtool.evaluation.plan import Evaluation
from advtool.prepared import Passes
from advtool.registry import get


@pytest.fixture(scope="module")
def model() -> nn.Module:
    return linear()


def counted(model, stages, images=None, settings=SETTINGS, **more):
    return measure(Evaluation(tuple(stages)), model, images or digits(), settings, **more)


def without_times(counts):
    rows = ([replace(row, seconds=0.0, passes=Passes()) for row in entry.breakdown] for entry in counts.entries)
    return replace(
        counts,
        entries=tuple(replace(entry, breakdown=tuple(r)) for entry, r in zip(counts.entries, rows, strict=True)),
    )


def test_counts_are_those_counted_by_hand(model):
    counts = counted(model, [stage("pgd", L2(0.3), steps=10)], settings=Settings(torch.device("cpu"), batch_size=32))
    x, y = tensors(digits())
    clean = model(x).argmax(1) == y
    robust = clean & (model(pgd(model, x, y, L2(0.3), steps=10)).argmax(1) == y)
    (entry,) = counts.entries
    assert (counts.n, counts.clean, entry.standing) == (100, int(clean.sum()), int(robust.sum()))
    assert 0 < entry.standing < counts.clean
    assert (entry.wrong, entry.excess) == (100 - counts.clean, counts.clean - entry.standing)
    (row,) = entry.breakdown
    assert (row.attacked, row.broken) == (counts.clean, counts.clean - entry.standing)
    assert torch.equal(correct_clean(model, digits(), SETTINGS), clean)
    report = accuracies(model, digits(), [get("pgd").plan(L2(0.3), {"steps": 10})], SETTINGS)
    assert report["adversarial"][0]["correct"] == entry.standing and "breakdown" not in report["adversarial"][0]


def test_an_ensemble_is_the_worst_case_of_its_members(model):
    both, alone = counted(model, [stage("fgsm,pgd", L2(0.3), steps=10), stage("pgd", L2(0.3), steps=10)]).entries
    assert both.standing <= alone.standing
    first, second = both.breakdown
    assert second.attacked == first.attacked - first.broken
    assert both.standing == second.attacked - second.broken


def test_results_depend_neither_on_batches_nor_on_how_pixels_are_stored(model):
    images = digits()
    as_float = replace(images, pixels=images.pixels.astype(np.float32) / np.float32(255))
    options = {"steps": 5, "restarts": 2}
    stages = [stage("fgsm,pgd", Linf(0.1), **options), stage("pgd", L2(0.5), random_start=True, **options)]
    found = [
        without_times(counted(model, stages, of, Settings(torch.device("cpu"), batch_size=size)))
        for size, of in ((1, images), (7, images), (100, images), (100, as_float))
    ]
    assert found[0] == found[1] == found[2] == found[3]


def test_gradients_may_be_off(model):
    plan, stages = Evaluation.of(adv="l2", eps=0.3, steps=[2, 5], step_size=0.1), [stage("pgd,cw", L2(0.3), steps=3)]
    expected = [without_times(measure(plan, model, digits(), SETTINGS)), without_times(counted(model, stages))]
    with torch.inference_mode():
        found = [without_times(measure(plan, model, digits(), SETTINGS)), without_times(counted(model, stages))]
    assert found == expected


def test_the_counts_of_parts_add_up(model):
    images = digits(61)
    shards = replace(images, provenance=[{"targeted": True, "original_label": int(k)} for k in images.labels // 2])
    stages = [stage("pgd", L2(0.3), steps=5), stage("fgsm,pgd", L2(0.5), steps=3)]
    whole = counted(model, stages, shards)
    parts = [counted(model, stages, shards.take(np.arange(rank, 61, 3))) for rank in range(3)]
    assert without_times(total(parts)) == without_times(whole) and whole.targeted


def test_a_curve_read_from_one_attack_equals_separate_attacks(model):
    for adv, eps, step_size in (("l2", 0.3, 0.08), ("linf", 0.05, 0.01)):
        plan = Evaluation.of(adv=adv, eps=eps, steps=[8, 1, 3], step_size=step_size)
        curve = measure(plan, model, digits(), SETTINGS)
        assert len(plan.stages) == 1 and [entry.attacks[0].options["steps"] for entry in curve.entries] == [1, 3, 8]
        for entry in curve.entries:
            alone = Evaluation.of(adv=adv, eps=eps, steps=entry.attacks[0].options["steps"], step_size=step_size)
            (expected,) = measure(alone, model, digits(), SETTINGS).entries
            assert entry.standing == expected.standing
        standing = [entry.standing for entry in curve.entries]
        assert standing == sorted(standing, reverse=True) and standing[0] > standing[-1]


def test_curves_without_a_step_size_restart_for_each_number_of_steps(model):
    plan = Evaluation.of(adv="linf", eps=0.05, steps=(2, 10))
    assert [s.attacks[0].options["step_size"] for s in plan.stages] == pytest.approx([2.5 * 0.05 / 2, 2.5 * 0.05 / 10])
    for entry in measure(plan, model, digits(), SETTINGS).entries:
        (alone,) = counted(model, [stage("pgd", Linf(0.05), steps=entry.attacks[0].options["steps"])]).entries
        assert entry.standing == alone.standing


def test_the_searched_step_size_is_the_strongest(model):
    plan = Evaluation.of(adv="l2", eps=0.3, steps=5, step_size=0.01, search_step_size=True)
    found = strongest_of(model, digits(), plan.stages[0], SETTINGS)
    assert found.options["step_size"] == pytest.approx(0.04)
    (entry,) = described(measure(plan, model, digits(), SETTINGS))["adversarial"]
    assert entry["step_size"] == pytest.approx(0.04) and entry["step_size_searched"]


def test_plateaus():
    entries = [{"accuracy": a, "steps": s} for a, s in ((0.9, 1), (0.6, 10), (0.595, 50))]
    assert plateau(entries) == {"reached": True, "gain": pytest.approx(0.005), "from_steps": 10, "to_steps": 50}
    assert not plateau(entries[:2])["reached"]


def test_risk_with_a_weight():
    found = {"classification": 0.1, "adversarial": 0.3, "joint": pytest.approx(0.7), "base": None}
    assert risk(10, 30, 100, lam=2.0) == found


def test_risk_relative_to_itself_is_zero_and_to_another_model_at_most_the_plain_one(model):
    stages = [stage("pgd", L2(0.4), steps=10)]
    (plain,) = counted(model, stages).entries
    (itself,) = counted(model, stages, base=model).entries
    assert itself.excess == 0 and itself.wrong == plain.wrong > 0
    (relative,) = counted(model, stages, base=linear(2)).entries
    assert 0 <= relative.excess <= plain.excess + 5 and relative.standing == plain.standing


def test_risk_relative_to_a_constant_answer_counts_every_change():
    """With a base that never changes its answer, any change of the model's agreement with it counts."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(1, 2))
    model[1].weight.data, model[1].bias.data = torch.tensor([[-1.0], [1.0]]), torch.tensor([0.5, -0.5])
    base = nn.Sequential(nn.Flatten(), nn.Linear(1, 2))
    base[1].weight.data, base[1].bias.data = torch.zeros(2, 1), torch.tensor([1.0, 0.0])
    pixels = np.array([0.1, 0.3, 0.45, 0.7], np.float32).reshape(4, 1, 1, 1)
    images = Images(pixels, np.array([0, 0, 1, 1]), list("abcd"), digits(4).head, "x", None)
    (entry,) = counted(model, [stage("pgd", Linf(0.1), steps=10)], images, base=base).entries
    assert entry.wrong == 1  # only c: 0.45 is taken for class 0
    assert entry.excess == 1  # c crosses 1/2, d disagrees with the base from the start


def threshold(at: float) -> nn.Module:
    """Says 1 for a pixel above `at`, and is unsure near it."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(1, 2))
    model[1].weight.data, model[1].bias.data = torch.tensor([[-20.0], [20.0]]), torch.tensor([20 * at, -20 * at])
    return model


@pytest.mark.parametrize("attacks", [*(name for name in registry.ATTACKS if name != "sigma-zero"), "autoattack"])
def test_every_attack_is_held_to_the_base(attacks):
    """Only between 0.5 and 0.52 does the model change while the base does not: that is where attacks have to stop."""
    pixels = np.array([0.7, 0.42, 0.2, 0.45, 0.38, 0.49], np.float32).reshape(-1, 1, 1, 1)
    images = Images(pixels, np.zeros(6, int), list("abcdef"), digits(6).head, "x", None)
    norm = "l2" if attacks in ("cw", "ddn", "sdf") else "linf"
    plan = Evaluation.of(adv=norm, eps=0.1, attack=attacks)
    model, base = threshold(0.5), threshold(0.52)
    (entry,) = measure(plan, model, images, SETTINGS, base=base).entries
    (itself,) = measure(plan, model, images, SETTINGS, base=model).entries
    assert itself.excess == 0 and entry.standing == 2
    assert entry.excess == 3


def test_targeted_success_is_counted_from_what_the_shards_say(model):
    images = digits()
    predictions = model(tensors(images)[0]).argmax(1).numpy()
    targets = (predictions + np.arange(100) % 2) % 10
    provenance = [{"targeted": True, "original_label": int(label)} for label in images.labels]
    found = counted(model, [], replace(images, labels=targets, provenance=provenance)).targeted
    pushed = targets != images.labels
    assert found["success"].n == int(pushed.sum())
    assert found["success"].correct == int((predictions == targets)[pushed].sum())
    assert found["original"].correct == int((predictions == images.labels)[pushed].sum())
    assert counted(model, []).targeted == {}


def test_logits_that_are_not_numbers_stop_the_evaluation():
    broken = linear()
    with torch.no_grad():
        broken[1].bias[3] = float("nan")
    with pytest.raises(AdvtoolError, match="not finite"):
        counted(broken, [])
