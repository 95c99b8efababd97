"""``train --trials``, ``--val`` and the objectives from the command line."""

import json
import statistics

import pytest

from advtool.commands.trials import destinations
from advtool.errors import UsageError
from advtool.io import checkpoints, streams

TRIALS = ["train", "--arch", "linear", "--epochs", "1", "--adv", "linf", "--eps", "0.05", "--steps", "2", "--seed", "3"]


def test_trials_report_mean_and_deviation_and_resume(tmp_path, advtool):
    done = advtool(*TRIALS, "--trials", "2", "-o", "m.safetensors", "--val", "0.1")
    assert done.returncode == 0, done.stderr.decode()
    report = json.loads(done.stdout)
    assert [trial["seed"] for trial in report["trials"]] == [3, 4]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m-3.safetensors", "m-4.safetensors"]
    clean = [trial["clean"]["accuracy"] for trial in report["trials"]]
    assert clean[0] != clean[1]
    assert report["clean"]["accuracy"]["mean"] == pytest.approx(sum(clean) / 2)
    assert report["clean"]["accuracy"]["sd"] == pytest.approx(abs(clean[0] - clean[1]) / 2**0.5)
    risks = [trial["adversarial"][0]["risk"]["adversarial"] for trial in report["trials"]]
    assert report["adversarial"][0]["risk"]["adversarial"] == pytest.approx(
        {"mean": statistics.mean(risks), "sd": statistics.stdev(risks)}
    )
    meta = checkpoints.read(streams.open_path(tmp_path / "m-4.safetensors")).meta
    assert meta["seed"] == 4 and meta["metrics"]["clean"]["accuracy"] == clean[1]
    assert meta["selected"]["by"].startswith("best accuracy against linf 0.05")
    (tmp_path / "m-4.safetensors").unlink()
    resumed = advtool(*TRIALS, "--trials", "2", "-o", "m.safetensors", "--val", "0.1", "--resume")
    assert resumed.returncode == 0 and b"m-3.safetensors is complete" in resumed.stderr
    assert json.loads(resumed.stdout) == report
    other = advtool(*TRIALS, "--trials", "2", "-o", "m.safetensors", "--val", "0.2", "--resume")
    assert other.returncode == 1 and b"m-3.safetensors: was made with" in other.stderr


def test_where_trials_go(tmp_path):
    names = [place.name for place in destinations(str(tmp_path / "a.b.safetensors"), range(2), False, False)]
    assert names == [str(tmp_path / "a.b-0.safetensors"), str(tmp_path / "a.b-1.safetensors")]
    assert destinations(None, range(2), False, False) == [None, None]
    (tmp_path / "a.b-1.safetensors").touch()
    for out, resume, message in (
        ("-", False, "a file per trial"),
        ("/dev/null", False, "a file per trial"),
        (None, True, "resume: needs -o"),
        (str(tmp_path / "a.b.safetensors"), False, "exists"),
    ):
        with pytest.raises(UsageError, match=message):
            destinations(out, range(2), False, resume)


def test_the_resolved_configuration_shows_the_objective(advtool):
    options = ["--objective", "free", "--adv", "l2", "--eps", "0.5", "--ema", "--val", "0.25", "--trials", "2"]
    report = json.loads(advtool("train", *options, "--dry-run").stdout)
    training = report["training"]
    assert (training["objective"], training["replays"], training["epochs"]) == ("free", 8, 2)
    assert training["threat"]["step_size"] == 0.5 and training["ema_decay"] == 0.999
    assert report["trials"] == [0, 1] and report["data"]["n"] + report["data"]["validation"] == 1437
