"""Ensembles, curves, relative risk and transfer against counts made by hand."""

import numpy as np
import pytest
import torch
from torch import nn

from advtool.attacks import L2, Linf
from advtool.data.arrays import Images, load
from advtool.data.sources import resolve
from advtool.device import Settings
from advtool.errors import AdvtoolError
from advtool.evaluation.cascade import evaluate_ensemble
from advtool.evaluation.curves import plateau, search_step_size, steps_curve
from advtool.evaluation.evaluate import evaluate
from advtool.evaluation.per_sample import PerSampleFile
from advtool.evaluation.relative import relative_risk
from advtool.evaluation.transfer import targeted_success
from advtool.registry import ensemble, get, plans

SETTINGS = Settings(torch.device("cpu"))


def linear(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    optimizer = torch.optim.Adam(net.parameters(), 0.02)
    train = load(resolve("digits", "train"))
    x, y = torch.tensor(train.pixels).float() / 255, torch.tensor(train.labels)
    for _ in range(40 + 20 * seed):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        optimizer.step()
    return net.eval()


@pytest.fixture(scope="module")
def images() -> Images:
    return load(resolve("digits", "test"), 100)


def test_an_ensemble_is_the_worst_case_of_its_members(images):
    model, asked = linear(), {"steps": 10}
    entry, outcomes = evaluate_ensemble(model, images, plans(ensemble("fgsm,pgd"), L2(0.3), asked), SETTINGS)
    single, _ = evaluate_ensemble(model, images, plans(ensemble("pgd"), L2(0.3), asked), SETTINGS)
    alone = evaluate(model, images, [get("pgd").plan(L2(0.3), asked)], SETTINGS)["adversarial"][0]
    assert single["correct"] == alone["correct"] and single["risk"] == alone["risk"]
    assert entry["correct"] <= single["correct"]
    assert [row["attack"] for row in entry["breakdown"]] == ["fgsm", "pgd"]
    first, second = entry["breakdown"]
    clean = sum(outcome.broken_by != "clean" for outcome in outcomes)
    assert first["attacked"] == clean and second["attacked"] == clean - first["broken"]
    assert entry["correct"] == second["attacked"] - second["broken"]
    for outcome in outcomes:
        assert (outcome.distance is None) == (outcome.broken_by is None)
        assert outcome.distance is None or outcome.distance <= 0.3 * (1 + 1e-6)


def test_records_of_samples_let_a_run_go_on(images, tmp_path):
    model, attacks = linear(), plans(ensemble("fgsm,pgd"), L2(0.3), {"steps": 5})
    path, run = tmp_path / "samples.jsonl", {"model": "a"}
    record = PerSampleFile(path, run)
    expected, outcomes = evaluate_ensemble(model, images, attacks, SETTINGS, sink=record.append)
    whole = path.read_bytes()
    assert len(whole.splitlines()) == 101
    path.write_bytes(b"".join(whole.splitlines(keepends=True)[:41]) + b'{"key": "cut sh')
    record, seen = PerSampleFile(path, run), []

    def sink(found):
        seen.extend(found)
        record.append(found)

    assert len(record) == 40
    entry, again = evaluate_ensemble(model, images, attacks, SETTINGS, known=record.known, sink=sink)
    assert len(seen) == 60 and [o.broken_by for o in again] == [o.broken_by for o in outcomes]
    assert entry["correct"] == expected["correct"]
    assert len(path.read_bytes().splitlines()) == 101
    with pytest.raises(AdvtoolError, match="another run"):
        PerSampleFile(path, {"model": "b"})


def test_a_curve_read_from_one_attack_equals_separate_attacks(images):
    model = linear()
    curve = steps_curve(model, images, L2(0.3), [1, 3, 8], SETTINGS, step_size=0.08)
    for entry in curve:
        threat = get("pgd").plan(L2(0.3), {"steps": entry["steps"], "step_size": 0.08})
        assert entry["correct"] == evaluate(model, images, [threat], SETTINGS)["adversarial"][0]["correct"]
    correct = [entry["correct"] for entry in curve]
    assert correct == sorted(correct, reverse=True) and correct[0] > correct[-1]


def test_curves_without_a_step_size_restart_for_each_number_of_steps(images):
    curve = steps_curve(linear(), images, Linf(0.05), [2, 10], SETTINGS)
    assert [entry["step_size"] for entry in curve] == pytest.approx([2.5 * 0.05 / 2, 2.5 * 0.05 / 10])
    for entry in curve:
        threat = get("pgd").plan(Linf(0.05), {"steps": entry["steps"]})
        assert entry["correct"] == evaluate(linear(), images, [threat], SETTINGS)["adversarial"][0]["correct"]


def test_the_searched_step_size_is_the_strongest(images):
    model, threat = linear(), get("pgd").plan(L2(0.3), {"steps": 5, "step_size": 0.01})
    found = search_step_size(model, images, threat, SETTINGS)
    assert found.options["step_size"] == pytest.approx(0.04)


def test_plateaus():
    entries = [{"accuracy": a, "steps": s} for a, s in ((0.9, 1), (0.6, 10), (0.595, 50))]
    assert plateau(entries) == {"reached": True, "gain": pytest.approx(0.005), "from_steps": 10, "to_steps": 50}
    assert not plateau(entries[:2])["reached"]


def test_risk_relative_to_itself_is_zero_and_to_another_model_at_most_the_plain_one(images):
    model, other, threat = linear(0), linear(2), get("pgd").plan(L2(0.4), {"steps": 10})
    itself = relative_risk(model, model, images, threat, 1.0, SETTINGS)
    assert itself["adversarial"] == 0 and itself["joint"] == itself["classification"] > 0
    relative = relative_risk(model, other, images, threat, 2.0, SETTINGS)
    plain = evaluate(model, images, [threat], SETTINGS)
    assert 0 <= relative["adversarial"] <= plain["adversarial"][0]["risk"]["adversarial"] + 0.05
    assert relative["joint"] == pytest.approx(relative["classification"] + 2 * relative["adversarial"])


def test_risk_relative_to_a_constant_answer_counts_every_change():
    """With a base that never changes its answer, any change of the model's agreement with it counts."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(1, 2))
    model[1].weight.data, model[1].bias.data = torch.tensor([[-1.0], [1.0]]), torch.tensor([0.5, -0.5])
    base = nn.Sequential(nn.Flatten(), nn.Linear(1, 2))
    base[1].weight.data, base[1].bias.data = torch.zeros(2, 1), torch.tensor([1.0, 0.0])
    pixels = np.array([0.1, 0.3, 0.45, 0.7], np.float32).reshape(4, 1, 1, 1)
    head = load(resolve("digits", "test"), 4).head
    images = Images(pixels, np.array([0, 0, 1, 1]), list("abcd"), head, "x", None)
    risk = relative_risk(model, base, images, get("pgd").plan(Linf(0.1), {"steps": 10}), 1.0, SETTINGS)
    assert risk["classification"] == 0.25  # only c: 0.45 is taken for class 0
    assert risk["adversarial"] == 0.25  # c crosses 1/2, d disagrees with the base from the start


def test_targeted_success_is_counted_from_what_the_shards_say(images):
    model = linear()
    predictions = model(torch.tensor(images.pixels).float() / 255).argmax(1).numpy()
    targets = (predictions + np.arange(100) % 2) % 10
    provenance = [{"targeted": True, "original_label": int(label)} for label in images.labels]
    shards = Images(images.pixels, targets, images.keys, images.head, "x", None, provenance)
    pushed = targets != images.labels
    found = targeted_success(model, shards, SETTINGS)
    assert found["success"]["n"] == int(pushed.sum())
    assert found["success"]["correct"] == int((predictions == targets)[pushed].sum())
    assert found["original"]["correct"] == int((predictions == images.labels)[pushed].sum())
    assert targeted_success(model, images, SETTINGS) is None
