"""What is written for RobustBench: its ``model_info``, and the images that its users exchange."""

import json

import numpy as np
import pytest
import torch
from attack_problems import digits, digits_model

from advtool.errors import AdvtoolError, UsageError
from advtool.evaluation import robustbench
from advtool.evaluation.plan import Evaluation
from advtool.evaluation.run import evaluate
from advtool.norms import ball

PUBLISHED = {
    "link": "https://arxiv.org/abs/2002.11569",
    "name": "Overfitting in adversarially robust deep learning",
    "authors": "Leslie Rice, Eric Wong, J. Zico Kolter",
    "additional_data": False,
    "number_forward_passes": 1,
    "dataset": "cifar10",
    "venue": "ICML 2020",
    "architecture": "WideResNet-34-20",
    "eps": "8/255",
    "clean_acc": "85.34",
    "reported": "58",
    "autoattack_acc": "53.42",
}
"""An entry as RobustBench publishes it: ``model_info/cifar10/Linf/Rice2020Overfitting.json``."""


def report(n: int = 10_000, right: int = 8534, standing: int = 5342, **more) -> dict:
    """A report of `eval` as far as it counts here."""
    entry = {"adv": "linf", "eps": 8 / 255, "ensemble": "autoattack (standard)", "accuracy": standing / n} | more
    return {
        "checkpoint": {"path": "m.safetensors", "arch": "WideResNet-34-20"},
        "data": {"source": "cifar10", "n": n},
        "clean": {"accuracy": right / n},
        "adversarial": [entry],
    }


def test_of_the_same_results_the_published_entry_is_made_but_for_what_only_authors_know():
    found = robustbench.model_info(report())
    known = {name for name, value in found.items() if value is not None}
    assert {name: found[name] for name in known} == {name: PUBLISHED[name] for name in known}
    assert {*PUBLISHED} - known == {"link", "name", "authors", "additional_data", "venue", "reported"}
    assert {*PUBLISHED} <= {*found} and found["footnote"] is None
    assert [*robustbench.unknown(found)] == ["link", "name", "authors", "additional_data", "venue", "reported"]


def test_an_entry_that_is_there_keeps_all_but_the_results(tmp_path):
    path = tmp_path / "Rice2020Overfitting.json"
    path.write_text(json.dumps({**PUBLISHED, "unreliable": False, "clean_acc": "1", "eps": "4/255"}))
    robustbench.write(path, report(standing=5000))
    wanted = {**PUBLISHED, "unreliable": False, "autoattack_acc": "50.0", "footnote": None}
    assert json.loads(path.read_text()) == wanted
    path.write_text(json.dumps({**PUBLISHED, "footnote": "It uses extra images."}))
    for n, added in (
        (1000, " Evaluated on 1,000 images instead of 10,000."),
        (500, " Evaluated on 500 images instead of 10,000."),
        (10_000, ""),
    ):
        robustbench.write(path, report(n=n, right=400, standing=300))
        assert json.loads(path.read_text())["footnote"] == "It uses extra images." + added
    path.write_text("[1]")
    with pytest.raises(AdvtoolError, match="no JSON object"):
        robustbench.write(path, report())


def test_what_is_not_as_robustbench_evaluates_is_said_or_refused():
    assert robustbench.model_info(report(n=1000, right=800, standing=500))["footnote"] == (
        "Evaluated on 1,000 images instead of 10,000."
    )
    other = report()
    other["data"]["source"] = "folder/photos/"
    found = robustbench.model_info(other)
    assert found["dataset"] is None and found["footnote"] == "Evaluated on 10,000 images of photos."
    for wrong in ({"ensemble": "autoattack (rand)"}, {"ensemble": None}, {"adv": "l1"}):
        with pytest.raises(AdvtoolError, match="standard AutoAttack"):
            robustbench.model_info(report(**wrong))
    for asked, models, words in (
        ({"adv": "l2", "eps": 0.5}, 1, "robustbench: reports the standard"),
        ({"adv": "l2", "eps": 0.5, "attack": "autoattack-plus"}, 1, "standard"),
        ({"adv": "l1", "eps": 0.5, "attack": "autoattack"}, 1, "linf or l2"),
        ({"adv": "l2", "eps": [0.5, 1.0], "attack": "autoattack"}, 1, "one radius"),
        ({"adv": "l2", "eps": 0.5, "attack": "autoattack"}, 2, "one model"),
    ):
        with pytest.raises(UsageError, match=words):
            robustbench.check(Evaluation.of(**asked), models)
    robustbench.check(Evaluation.of(adv="linf", eps=0.1, attack="autoattack"), 1)


def test_images_as_an_archive_are_the_worst_ones_in_the_order_of_the_data(tmp_path):
    model, (x, y) = digits_model(20), digits()
    x, y = x[:70], y[:70]
    path = tmp_path / "worst.npz"
    made = evaluate(model, (x, y), adv="l2", eps=0.4, attack="pgd,fab-t", steps=10, checks=False, save_adversarial=path)
    with np.load(path, allow_pickle=False) as archive:
        adversarial, labels = torch.tensor(archive["x_adv"]), torch.tensor(archive["y"])
        assert archive["x_adv"].dtype == np.float32 and archive["y"].dtype == np.int64
    assert torch.equal(labels, y) and adversarial.shape == x.shape
    assert adversarial.min() >= 0 and adversarial.max() <= 1
    assert ball("l2").norm(adversarial.double() - x.double()).max() <= 0.4 * (1 + 1e-6)
    with torch.no_grad():
        right = (model(adversarial).argmax(1) == y) & (model(x).argmax(1) == y)
    assert int(right.sum()) == made["adversarial"][0]["correct"] and made["saved"]["n"] == 70


def test_the_command_writes_both_and_reads_its_archive_again(advtool, checkpoint, tmp_path):
    arguments = [
        "--ckpt",
        checkpoint,
        "--adv",
        "linf",
        "--eps",
        "8/255",
        "-n",
        "30",
        "--attack",
        "autoattack",
        "--no-checks",
    ]
    done = advtool(
        "eval", *arguments, "--steps", "20", "--robustbench", "Mine2026.json", "--save-adversarial", "w.npz", "--json"
    )
    assert done.returncode == 0, done.stderr.decode()
    entry, found = json.loads(done.stdout)["adversarial"][0], json.loads((tmp_path / "Mine2026.json").read_text())
    assert found["eps"] == "8/255" and found["autoattack_acc"] == str(round(100 * entry["accuracy"], 2))
    assert b"left to fill in: link, name, authors, additional_data, dataset, venue, reported" in done.stderr
    again = json.loads(advtool("eval", "--ckpt", checkpoint, "--data", "w.npz", "--json").stdout)
    assert again["clean"]["correct"] == entry["correct"]
    refused = advtool("eval", "--ckpt", checkpoint, "--adv", "l2", "--eps", "0.5", "--robustbench", "no.json")
    assert refused.returncode == 2 and refused.stderr.count(b"\n") == 1 and not (tmp_path / "no.json").exists()
