"""Training against several norms: which one each batch has, what is recorded, and what it is for."""

import json
from dataclasses import replace

import pytest
import torch

from advtool import registry
from advtool.data.arrays import load
from advtool.data.sources import resolve
from advtool.device import Settings
from advtool.evaluation.measure import accuracies
from advtool.norms import ball
from advtool.training.objectives.adversarial import Adversarial
from advtool.training.options import Training
from advtool.training.run import TrainingRun

CPU = torch.device("cpu")
ASKED = Training(
    adv="linf,l2,l1",
    eps=(0.1, 0.5, 2.0),
    arch="mlp",
    hidden=(32,),
    epochs=2,
    limit=400,
    batch_size=32,
    steps=2,
    amp=False,
)


def seen_in(monkeypatch, asked: Training) -> list[list[tuple[str, float]]]:
    """The norms and radii of each batch of a run."""
    seen: list[list[tuple[str, float]]] = []
    original = Adversarial.examples

    def examples(self, batch):
        seen.append([(threat.norm, threat.eps) for threat in batch.threats])
        return original(self, batch)

    with monkeypatch.context() as patched:
        patched.setattr(Adversarial, "examples", examples)
        TrainingRun(resolve("digits"), asked, CPU).fit()
    return seen


def test_a_random_norm_for_each_batch_and_all_of_them_for_the_worst(monkeypatch):
    seen = seen_in(monkeypatch, ASKED)
    assert all(len(batch) == 1 for batch in seen) and len(seen) in (24, 26)
    names = [batch[0][0] for batch in seen]
    assert {*names} == {"linf", "l2", "l1"} and names[: len(names) // 2] != names[len(names) // 2 :]
    assert min(names.count(name) for name in {*names}) >= 3
    assert seen == seen_in(monkeypatch, ASKED)
    assert names != [batch[0][0] for batch in seen_in(monkeypatch, replace(ASKED, seed=1))]
    every = [("linf", 0.1), ("l2", 0.5), ("l1", 2.0)]
    assert all(batch == every for batch in seen_in(monkeypatch, replace(ASKED, union="worst", epochs=1)))


def test_radii_of_all_norms_warm_up_together(monkeypatch):
    seen = seen_in(monkeypatch, replace(ASKED, union="worst", epochs=1, eps_warmup=1.0))
    shares = [[eps / full for (_, eps), full in zip(batch, (0.1, 0.5, 2.0), strict=True)] for batch in seen]
    assert all(max(share) - min(share) < 1e-6 for share in shares) and shares[0][0] < 0.2 < shares[-2][0]


def test_validation_and_test_are_under_all_norms():
    run = TrainingRun(resolve("digits"), replace(ASKED, val=0.25, limit=300), CPU)
    run.fit()
    attacks = [
        registry.get("pgd").plan(ball(threat.norm, threat.eps), {"steps": 10, "random_start": threat.random_start})
        for threat in run.config.threats
    ]
    found = accuracies(run.model, run.validation, attacks, Settings(CPU, seed=run.config.seed))
    record = run.history[run.selected["epoch"] - 1]["validation"]
    assert record["adversarial_accuracy"] == found["union"]["accuracy"]
    assert record["adversarial_accuracy"] <= min(entry["accuracy"] for entry in found["adversarial"])
    assert "linf 0.1, l2 0.5 and l1 2, PGD-10" in run.selected["by"]
    tested = run.test(load(resolve("digits", "test")), 50)
    assert [entry["adv"] for entry in tested["adversarial"]] == ["linf", "l2", "l1"]
    assert tested["union"]["correct"] <= min(entry["correct"] for entry in tested["adversarial"])


def test_the_command_records_the_union_and_eval_takes_the_same_norms(advtool):
    options = ["--adv", "linf,l2", "--eps", "0.1,0.5", "--epochs", "1", "--arch", "linear", "--steps", "2", "-n", "200"]
    done = advtool("train", *options, "--union", "worst", "-o", "union.safetensors", "--json", "--test-limit", "40")
    assert done.returncode == 0, done.stderr.decode()
    report = json.loads(done.stdout)
    assert report["union"]["threats"] == [{"adv": "linf", "eps": 0.1}, {"adv": "l2", "eps": 0.5}]
    assert b"against linf eps 0.1 and l2 eps 0.5, the worst for each image, PGD-2" in done.stderr
    evaluated = advtool("eval", "--ckpt", "union.safetensors", *options[:4], "--steps", "2", "-n", "40", "--json")
    assert evaluated.returncode == 0 and json.loads(evaluated.stdout)["union"]["n"] == 40
    trials = advtool("train", *options, "--trials", "2", "--test-limit", "40", "--json")
    assert trials.returncode == 0 and 0 <= json.loads(trials.stdout)["union"]["accuracy"]["mean"] <= 1
    refused = advtool("train", *options, "--objective", "trades")
    assert (
        refused.returncode == 2
        and refused.stderr.count(b"\n") == 1
        and b"--objective trades: is for one norm" in refused.stderr
    )


@pytest.mark.slow
def test_unions_stand_where_one_norm_falls_and_give_up_less_of_the_others_than_l1():
    """At these radii l1 decides: who trains against it alone stands best under all, and is worse in linf."""
    settings, images = Settings(CPU), load(resolve("digits", "test"))
    threats = {"linf": 0.12, "l2": 0.6, "l1": 4.0}
    attacks = [registry.get("pgd").plan(ball(norm, eps), {"steps": 20}) for norm, eps in threats.items()]
    every = {"adv": ",".join(threats), "eps": tuple(threats.values())}
    trained = {name: {"adv": name, "eps": eps} for name, eps in threats.items()}
    trained |= {union: {**every, "union": union} for union in ("worst", "random")}
    found = {}
    for name, asked in trained.items():
        run = TrainingRun(resolve("digits"), Training(**asked, epochs=8), CPU)
        run.fit()
        found[name] = accuracies(run.model, images, attacks, settings)
    stand = {name: report["union"]["accuracy"] for name, report in found.items()}
    in_linf = {name: report["adversarial"][0]["accuracy"] for name, report in found.items()}
    assert stand["worst"] > stand["random"] > max(stand["linf"], stand["l2"])
    assert in_linf["random"] > in_linf["worst"] > in_linf["l1"]
