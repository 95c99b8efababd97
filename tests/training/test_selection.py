"""Weight averaging, validation, the guard, and which weights a run keeps."""

import re

import numpy as np
import pytest
import torch

from advtool.data.arrays import load
from advtool.data.holdout import is_held_out
from advtool.data.sources import resolve
from advtool.device import Settings
from advtool.evaluation.measure import accuracies
from advtool.io import checkpoints, streams
from advtool.models.classifier import Classifier, ModelSpec
from advtool.training.average import Average
from advtool.training.objectives.adversarial import Adversarial
from advtool.training.options import Training
from advtool.training.overfitting import Guard
from advtool.training.run import TrainingRun
from advtool.training.selection import chosen
from advtool.training.state import StateFile

CPU = torch.device("cpu")


def run(objective: str = "pgd", eps: float | None = 0.1, **wishes) -> TrainingRun:
    adversary = {"adv": "linf", "eps": eps, "objective": objective} if eps else {}
    if eps and objective in ("pgd", "trades", "mart"):
        adversary["steps"] = 2
    wishes = {"arch": "mlp", "hidden": (16,), "epochs": 4, "limit": 300} | adversary | wishes
    return TrainingRun(resolve("digits"), Training(**wishes), CPU)


def weights(finished: TrainingRun) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in finished.model.net.state_dict().items()}


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize(
    ("objective", "wishes"),
    [
        ("trades", {}),
        ("mart", {}),
        ("fast", {}),
        ("free", {"epochs": 32}),
        ("pgd", {"lam": 2.0, "attack_correct_only": True, "eps_warmup": 2.5}),
        ("pgd", {"ema_decay": 0.99, "val": 0.2, "arch": "cnn-small", "hidden": None, "width": 0.25}),
        ("pgd", {"noise": 0.2, "val": 0.2, "select": "last", "eps": None}),
    ],
)
def test_every_objective_resumes_to_the_same_bytes(tmp_path, objective, wishes):
    straight, resumed = run(objective, **wishes), run(objective, **wishes)
    file = StateFile(tmp_path / "m", straight.resolved())
    states = []

    def save(state) -> None:
        states.append(state)
        if len(states) == 2:
            file.write(state)

    straight.fit(save=save)
    assert len(straight.history) == 4
    resumed.fit(start=file.read())
    assert straight.to_bytes({}) == resumed.to_bytes({})


def test_the_average_is_the_one_computed_by_hand():
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 3), torch.nn.BatchNorm1d(3))
    model = Classifier(net, ModelSpec("x", ("a", "b", "c"), (1, 2, 2), (0.0,), (1.0,)))
    average, by_hand = Average(model, 0.6), None
    for t in range(12):
        with torch.no_grad():
            model.train()(torch.randn(5, 1, 2, 2))
            for parameter in model.parameters():
                parameter += torch.randn_like(parameter)
        average.update(model)
        now = {name: value.double() for name, value in model.net.state_dict().items()}
        decay = min(0.6, (1 + t) / (10 + t))
        by_hand = now if t == 0 else {name: decay * by_hand[name] + (1 - decay) * now[name] for name in now}
    kept = average.model.net.state_dict()
    for name in ("1.weight", "1.bias", "2.weight", "2.running_mean", "2.running_var"):
        assert torch.allclose(kept[name].double(), by_hand[name], atol=1e-5), name
    assert int(kept["2.num_batches_tracked"]) == 12
    assert not average.model.training


def test_the_averaged_weights_are_the_ones_kept():
    plain, averaged, states = run(), run(ema_decay=0.999), []
    plain.fit()
    averaged.fit(save=states.append)
    assert same(states[-1].parts["model"], weights(plain)) and same(states[-1].kept, weights(averaged))
    assert not same(weights(plain), weights(averaged))
    averaged.rewind()
    assert same(states[-1].kept, weights(averaged))


def test_images_held_out_are_neither_trained_on_nor_chosen_by_seed_or_order():
    images = load(resolve("digits"))
    first, second = run(val=0.2, limit=None), run(val=0.2, limit=None, seed=5)
    assert first.validation.keys == second.validation.keys
    assert not set(first.validation.keys) & set(first.data.images.keys)
    assert set(first.validation.keys) | set(first.data.images.keys) == set(images.keys)
    assert 0.15 < len(first.validation) / len(images) < 0.25
    order = np.random.default_rng(0).permutation(len(images))
    shuffled = is_held_out([images.keys[i] for i in order], 0.2)
    assert (shuffled == is_held_out(images.keys, 0.2)[order]).all()


def test_the_best_epoch_in_validation_is_kept():
    finished, states = run(val=0.3, lr=0.3, epochs=6), []
    finished.fit(save=states.append)
    scores = [record["validation"]["adversarial_accuracy"] for record in finished.history]
    best = scores.index(max(scores))
    assert best != 5, "a case in which the last epoch is not the best"
    assert finished.selected["epoch"] == best + 1 and "accuracy against linf 0.1, PGD-10" in finished.selected["by"]
    assert same(weights(finished), states[best].parts["model"]) and same(weights(finished), states[-1].kept)
    report = accuracies(finished.model, finished.validation, [], Settings(CPU))
    assert report["clean"]["accuracy"] == finished.history[best]["validation"]["clean_accuracy"]
    last = run(val=0.3, lr=0.3, select="last", epochs=6)
    last.fit()
    assert last.selected == {"epoch": 6, "of": 6, "by": "last"}
    assert same(weights(last), states[-1].parts["model"])


def test_choosing_between_epochs():
    history = [{"validation": {"clean_accuracy": a, "adversarial_accuracy": b}} for a, b in ((0.9, 0.4), (0.8, 0.5))]
    assert chosen([], "last") is None
    assert (chosen(history, "best"), chosen(history, "last")) == (1, 1)
    assert chosen([*history, history[1]], "best") == 1, "of equals the first"
    assert chosen([{"validation": {"clean_accuracy": a}} for a in (0.9, 0.8)], "best") == 0
    assert chosen([*history, {"collapsed": True, **history[1]}], "last") == 1


def test_catastrophic_overfitting_ends_the_run_at_the_epoch_before(monkeypatch):
    found = iter([0.5, 0.6, 0.39, 0.9])

    def check(self, model, history):
        accuracy = next(found)
        return {"pgd_accuracy": accuracy, **({"collapsed": True} if accuracy == 0.39 else {})}

    monkeypatch.setattr(Guard, "check", check)
    finished, states = run("fast"), []
    finished.fit(save=states.append)
    assert [record.get("collapsed", False) for record in finished.history] == [False, False, True]
    assert finished.selected["epoch"] == 2 and "overfitting in epoch 3" in finished.selected["by"]
    assert same(weights(finished), states[1].parts["model"])
    again = run("fast")
    again.fit(start=states[-1])
    assert again.to_bytes({}) == finished.to_bytes({})


def test_the_guard_sees_a_model_that_lost_its_robustness():
    finished = run("fast", epochs=3, limit=None)
    finished.fit()
    assert all("pgd_accuracy" in record and "collapsed" not in record for record in finished.history)
    guard, images = Guard(finished.config), load(resolve("digits"))
    batches = finished.data.batches(128, 0, CPU, 1)
    for step, (x, y, ids) in enumerate(batches.epoch(0)):
        guard.see(step == 0, len(x), x, y, ids)
    assert sum(len(y) for _, y, _ in guard._images) == 256 < len(images)
    sound = guard.check(finished.model, finished.history)
    with torch.no_grad():
        for parameter in finished.model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0)))
    broken = guard.check(finished.model, finished.history)
    assert "collapsed" not in sound and broken["collapsed"]
    assert broken["pgd_accuracy"] < finished.history[-1]["pgd_accuracy"] - 0.2
    assert "collapsed" not in guard.check(finished.model, [])
    declined = [{"pgd_accuracy": accuracy} for accuracy in (0.5, 0.2, broken["pgd_accuracy"])]
    assert guard.check(finished.model, declined)["collapsed"], "whether it falls at once or little by little"


def test_robustness_against_the_one_step_alone_is_warned_of(advtool):
    common = ["train", "--objective", "fast", "--adv", "linf", "--arch", "mlp", "--hidden", "64", "--lr", "0.01"]
    found = advtool(*common, "--eps", 0.3, "--step-size", 0.6, "--epochs", 8, "-o", "a.safetensors").stderr.decode()
    one, many = map(float, re.search(r"one step ([0-9.]+)% .* PGD only ([0-9.]+)%: this is no", found).groups())
    assert one > many + 20
    assert "warning" not in advtool(*common, "--eps", 0.02, "--epochs", 2, "-o", "b.safetensors").stderr.decode()


def test_the_radius_grows_while_it_warms_up(monkeypatch):
    seen = []
    original = Adversarial.examples
    monkeypatch.setattr(
        Adversarial, "examples", lambda self, batch: seen.append(batch.adversary) or original(self, batch)
    )
    run(eps_warmup=2.0, batch_size=100, epochs=3).fit()
    expected = [min(1, step / 6) * 0.1 for step in range(1, 10)]
    assert [threat.eps for threat in seen] == pytest.approx(expected)
    assert [threat.step_size for threat in seen] == pytest.approx([1.25 * eps for eps in expected])


def test_joint_weight_zero_trains_the_standard_model():
    plain, joint = run(eps=None), run(lam=0.0)
    plain.fit()
    joint.fit()
    assert same(weights(plain), weights(joint))
    assert plain.history == joint.history
    assert joint.test(load(resolve("digits", "test")), 20)["adversarial"]


def test_streams_hold_out_the_same_images():
    wishes = {"val": 0.2, "batch_size": 32}
    streamed, in_memory = run(max_memory=1e-5, **wishes), run(**wishes)
    assert streamed.data.streamed and not in_memory.data.streamed
    assert streamed.validation.keys == in_memory.validation.keys and streamed.data.n == in_memory.data.n
    batches = streamed.data.batches(32, 0, CPU, 1)
    count = sum(len(labels) for _, labels, _ in batches.epoch(0))
    assert count == in_memory.data.n == 300 - len(in_memory.validation)
    streamed.fit()
    assert streamed.history[-1]["validation"]["clean_accuracy"] > 0.3


def test_what_is_kept_is_said_in_the_checkpoint(tmp_path):
    finished = run(val=0.2)
    finished.fit()
    (tmp_path / "m.safetensors").write_bytes(finished.to_bytes({}))
    meta = checkpoints.read(streams.open_path(tmp_path / "m.safetensors")).meta
    assert meta["selected"] == finished.selected and meta["data"]["validation"] == len(finished.validation)
    assert meta["training"]["val"] == 0.2 and meta["training"]["select"] == "best"
