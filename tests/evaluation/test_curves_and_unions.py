"""One run for every radius, and adversaries who may take any of several norms."""

import json
import math

import pytest
from evaluation_problems import digits, linear, tensors

from advtool.errors import UsageError
from advtool.evaluation import evaluate

RADII = {"linf": 0.05, "l2": 0.4, "l1": 1.5}


@pytest.fixture(scope="module")
def model():
    return linear()


def outcomes(path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()[1:]]


@pytest.mark.parametrize("adv", [*RADII])
def test_a_curve_has_at_each_radius_what_an_attack_at_that_radius_finds(model, adv):
    images, radii = tensors(digits(60)), [RADII[adv] / 2, RADII[adv], 2 * RADII[adv]]
    curve = evaluate(model, images, adv=adv, eps=[*reversed(radii), 0.0], attack="fab-t", curve=True, checks=False)
    each = evaluate(model, images, adv=adv, eps=radii, attack="fab-t", checks=False)
    assert [entry["eps"] for entry in curve["adversarial"]] == [0.0, *radii]
    assert curve["adversarial"][0]["correct"] == curve["clean"]["correct"]
    for once, alone in zip(curve["adversarial"][1:], each["adversarial"], strict=True):
        assert abs(once["correct"] - alone["correct"]) <= 1
    accuracies = [entry["accuracy"] for entry in curve["adversarial"]]
    assert accuracies == sorted(accuracies, reverse=True) and accuracies[0] > accuracies[-1]


def test_distances_are_of_all_images_and_each_radius_says_who_decided(model, tmp_path):
    images, path = tensors(digits(60)), tmp_path / "samples.jsonl"
    options = {"adv": "l2", "eps": [0.2, 0.5], "attack": "sdf,fmn", "curve": True, "steps": 30, "checks": False}
    found = evaluate(model, images, **options, per_sample=path)
    lines = outcomes(path)
    assert {line["eps"] for line in lines} == {None} and len(lines) == 60
    distances = sorted(math.inf if line["distance"] is None else line["distance"] for line in lines)
    told = found["distances"]
    assert told["adv"] == "l2" and told["n"] == 60 and told["found"] == 60
    assert told["mean"] == pytest.approx(sum(distances) / 60) and told["percentiles"][0] == 0
    assert told["percentiles"][100] == pytest.approx(distances[-1])
    for entry in found["adversarial"]:
        within = [line for line in lines if line["distance"] <= entry["eps"]]
        for row in entry["breakdown"]:
            assert row["broken"] == sum(line["broken_by"] == row["attack"] for line in within)
            assert row["attacked"] == found["clean"]["correct"]
        assert entry["correct"] == 60 - len(within)
    assert {line["broken_by"] for line in lines} == {"clean", "sdf", "fmn"}
    again = evaluate(model, images, **options, per_sample=path)
    assert again["distances"] == told and len(outcomes(path)) == 60


def test_components_are_counted_at_every_number_of_them(model):
    found = evaluate(
        model, tensors(digits(40)), adv="l0", eps=[1, 2, 4], attack="sigma-zero", curve=True, steps=50, checks=False
    )
    correct = [entry["correct"] for entry in found["adversarial"]]
    assert correct == sorted(correct, reverse=True) and correct[0] > correct[-1]
    assert all(p is None or p == int(p) for p in found["distances"]["percentiles"])


def test_under_all_threats_stands_what_stands_under_each(model, tmp_path):
    images = tensors(digits(80))
    together = tmp_path / "union.jsonl"
    report = evaluate(model, images, adv="linf,l2,l1", eps=[*RADII.values()], steps=10, per_sample=together)
    standing = {f"{index:08d}" for index in range(80)}
    for norm, eps in RADII.items():
        path = tmp_path / f"{norm}.jsonl"
        alone = evaluate(model, images, adv=norm, eps=eps, steps=10, per_sample=path, checks=False)
        entry = next(each for each in report["adversarial"] if each["adv"] == norm)
        assert entry["correct"] == alone["adversarial"][0]["correct"]
        stands = {line["key"] for line in outcomes(path) if line["broken_by"] is None}
        assert stands == {
            line["key"] for line in outcomes(together) if line["broken_by"] is None and line["norm"] == norm
        }
        standing &= stands
    assert report["union"]["correct"] == len(standing) < min(entry["correct"] for entry in report["adversarial"]) + 1
    assert report["union"]["threats"] == [{"adv": norm, "eps": eps} for norm, eps in RADII.items()]
    before = together.read_bytes()
    again = evaluate(model, images, adv="linf,l2,l1", eps=[*RADII.values()], steps=10, per_sample=together)
    assert again["union"] == report["union"] and together.read_bytes() == before


@pytest.mark.parametrize(
    ("options", "parameter"),
    [
        ({"adv": "l2,linf", "eps": 0.5}, "eps"),
        ({"adv": "l2,linf", "eps": [0.5, 2.0]}, "eps"),
        ({"adv": "l2,l2", "eps": [0.5, 0.5]}, "adv"),
        ({"adv": "l2,l7", "eps": [0.5, 0.5]}, "adv"),
        ({"adv": "l2,linf", "eps": [0.5, 0.1], "steps": [1, 2]}, "steps"),
        ({"adv": "l2,linf", "eps": [0.5, 0.1], "attack": "ddn"}, "attack"),
        ({"adv": "l2,linf", "eps": [0.5, 0.1], "attack": "fab-t", "curve": True}, "curve"),
        ({"adv": "l2", "eps": 0.5, "curve": True}, "curve"),
        ({"adv": "l2", "eps": [0.5, 1e9], "attack": "fab-t", "curve": True}, "eps"),
        ({"adv": "l0", "eps": 3}, "attack"),
        ({"adv": "l0", "eps": 2.5, "attack": "fmn"}, "eps"),
        ({"curve": True}, "curve"),
    ],
)
def test_what_does_not_go_together_is_refused_by_name(model, options, parameter):
    with pytest.raises(UsageError) as caught:
        evaluate(model, tensors(digits(20)), **options)
    assert caught.value.parameter == parameter
