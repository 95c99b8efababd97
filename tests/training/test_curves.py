import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from advtool.data.arrays import load
from advtool.data.sources import resolve
from advtool.device import Settings
from advtool.errors import AdvtoolError, UsageError
from advtool.evaluation.measure import accuracies
from advtool.evaluation.plots import plot_history
from advtool.io import checkpoints, streams
from advtool.training.curves import Curves, named
from advtool.training.options import Training
from advtool.training.run import TrainingRun

CPU = torch.device("cpu")
TEST = load(resolve("digits", "test"), 100)
SHIFTED = replace(TEST, labels=(TEST.labels + 1) % 10)


def run(curves: Curves, epochs: int = 5) -> TrainingRun:
    wishes = Training(arch="mlp", hidden=(32,), epochs=epochs, limit=300)
    return TrainingRun(resolve("digits"), wishes, CPU, curves=curves)


def test_accuracy_is_recorded_every_so_many_epochs_and_after_the_last():
    followed = run(Curves({"test": TEST, "shifted": SHIFTED}, every=2))
    followed.fit()
    assert [record["epoch"] for record in followed.history if "accuracy" in record] == [2, 4, 5]
    last = followed.history[-1]["accuracy"]
    for name, images in (("test", TEST), ("shifted", SHIFTED)):
        assert last[name] == accuracies(followed.model, images, [], Settings(CPU))["clean"]["accuracy"]
    assert last["shifted"] < 0.2 < last["test"]
    assert followed.resolved()["curves"]["sets"]["test"] == {"source": "digits", "split": "test", "n": 100}


def test_watching_changes_no_weight_and_resumes():
    plain, followed, resumed = run(Curves()), run(Curves({"test": TEST})), run(Curves({"test": TEST}))
    states = []
    plain.fit()
    followed.fit(save=states.append)
    resumed.fit(start=states[1])
    for a, b in zip(plain.model.parameters(), followed.model.parameters(), strict=True):
        assert torch.equal(a, b)
    assert "curves" not in plain.resolved()
    assert followed.to_bytes({}) == resumed.to_bytes({})


def test_images_that_do_not_fit_are_refused():
    small = replace(TEST, head=replace(TEST.head, shape=(1, 4, 4)))
    with pytest.raises(AdvtoolError, match="eval_data small: images are"):
        run(Curves({"small": small})).fit()
    many = replace(TEST, head=replace(TEST.head, classes=tuple(map(str, range(11))), num_classes=11))
    with pytest.raises(AdvtoolError, match="eval_data many: 11 classes, the model knows 10"):
        run(Curves({"many": many})).fit()


def test_names_of_sets():
    assert named(["a=x.tar", "digits"], lambda spec: False) == {"a": "x.tar", "digits": "digits"}
    assert named(["a=x.tar"], lambda spec: True) == {"a=x.tar": "a=x.tar"}
    for wrong in (["=x"], ["a="], [""], ["a=x", "a=y"], ["digits", "digits"]):
        with pytest.raises(UsageError, match="eval_data"):
            named(wrong, lambda spec: False)


def test_the_figure_holds_a_curve_for_each_set(tmp_path):
    history = [
        {"epoch": 1, "clean_accuracy": 0.5, "loss": 1.0},
        {"epoch": 2, "clean_accuracy": 0.9, "loss": 0.5, "accuracy": {"D_$rand$": 0.63}},
    ]
    path = tmp_path / "curves.svg"
    plot_history(path, "digits", history)
    again = path.read_bytes()
    plot_history(path, "digits", history)
    assert path.read_bytes() == again
    plot_history(tmp_path / "curves.png", "digits", history)
    assert np.asarray(Image.open(tmp_path / "curves.png")).std() > 10


def test_the_command_records_draws_and_resumes(tmp_path, advtool):
    options = ["train", "--epochs", "2", "--arch", "linear", "--eval-data", "D=digits", "--plot", "c.png"]
    done = advtool(*options, "-o", "m.safetensors", "--json")
    assert done.returncode == 0, done.stderr.decode()
    report = json.loads(done.stdout)
    meta = checkpoints.read(streams.open_path(tmp_path / "m.safetensors")).meta
    assert meta["history"][-1]["accuracy"]["D"] == report["training"]["accuracy"]["D"] == report["clean"]["accuracy"]
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")
    refused = advtool("train", "--eval-data", "digits", "--plot", "c.txt", "-o", "n.safetensors")
    assert refused.returncode == 2 and b"--plot c.txt" in refused.stderr
