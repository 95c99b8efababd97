"""``advtool train``: its main job, what it reports, what it writes and what it leaves alone."""

import json

import pytest
import torch

import advtool as library
from advtool.data.arrays import load
from advtool.data.sources import resolve
from advtool.io import checkpoints, streams

SMALL = ["train", "--arch", "mlp", "--hidden", "64"]
THREAT = ["--adv", "linf", "--eps", "0.15"]


def clean_and_robust(report: dict) -> tuple[float, float]:
    return report["clean"]["accuracy"], report["adversarial"][0]["accuracy"]


def meta(path) -> dict:
    return checkpoints.read(streams.open_path(path)).meta


def test_adversarial_training_makes_a_classifier_of_the_digits_robust(advtool, tmp_path):
    options = [*SMALL, "--epochs", "5", "--json"]
    plain = advtool(*options, "-o", "plain.safetensors")
    robust = advtool(*options, *THREAT, "-o", "robust.safetensors")
    assert (plain.returncode, robust.returncode) == (0, 0), (plain.stderr + robust.stderr).decode()
    attacked = advtool("eval", "--ckpt", "plain.safetensors", *THREAT, "--no-checks")
    clean, standing = clean_and_robust(json.loads(attacked.stdout))
    clean_of_robust, robust_standing = clean_and_robust(json.loads(robust.stdout))
    assert clean > 0.9 and clean_of_robust > 0.8
    assert robust_standing > standing + 0.15
    assert json.loads(plain.stdout)["adversarial"] == []


def test_the_report_and_the_checkpoint_say_the_same(advtool, tmp_path):
    done = advtool(
        *SMALL, *THREAT, "--steps", "2", "--epochs", "2", "--test-limit", "40", "--json", "-o", "m.safetensors"
    )
    assert done.returncode == 0 and done.stdout.count(b"\n") == 1, done.stderr.decode()
    report = json.loads(done.stdout)
    assert report.keys() == {
        *("schema", "command", "checkpoint", "training", "history", "selected", "data", "clean", "adversarial"),
    }
    assert (report["schema"], report["command"]) == (1, "train")
    assert report["checkpoint"] == {"path": "m.safetensors", "arch": "mlp"}
    assert report["training"].keys() == {"epoch", "loss", "clean_accuracy", "adversarial_accuracy"}
    assert [record["epoch"] for record in report["history"]] == [1, 2] and report["history"][1] == report["training"]
    assert report["selected"] == {"epoch": 2, "of": 2, "by": "last"}
    (entry,) = report["adversarial"]
    assert (entry["adv"], entry["eps"], entry["steps"], entry["n"]) == ("linf", 0.15, 50, 40)

    written = meta(tmp_path / "m.safetensors")
    assert written["metrics"]["clean"] == report["clean"] and written["selected"] == report["selected"]
    images, model = load(resolve("digits", "test")), library.load(tmp_path / "m.safetensors")
    with torch.no_grad():
        right = model(torch.tensor(images.pixels) / 255).argmax(1) == torch.tensor(images.labels)
    assert int(right.sum()) == report["clean"]["correct"] and report["clean"]["n"] == 360


def test_without_a_name_the_checkpoint_goes_to_stdout_and_words_to_stderr(advtool, tmp_path):
    done = advtool(*SMALL, "--epochs", "1", "-n", "100")
    assert done.returncode == 0
    assert b"epoch 1/1" in done.stderr and b"test accuracy, clean" in done.stderr
    assert not list(tmp_path.iterdir())
    (tmp_path / "m.safetensors").write_bytes(done.stdout)
    assert library.load(tmp_path / "m.safetensors").spec.arch == "mlp"
    assert advtool(*SMALL, "--epochs", "1", "-n", "100", "-q").stderr == b""


def test_what_exists_is_overwritten_with_f_only(advtool, tmp_path):
    path = tmp_path / "m.safetensors"
    path.write_bytes(b"precious")
    refused = advtool(*SMALL, "--epochs", "0", "-o", path)
    assert (refused.returncode, path.read_bytes()) == (2, b"precious") and b"-f overwrites it" in refused.stderr
    assert advtool(*SMALL, "--epochs", "0", "-o", path, "-f").returncode == 0
    assert library.load(path).spec.arch == "mlp"


@pytest.mark.parametrize("out", [[], ["-o", "m.safetensors"], ["-o", "m.safetensors", "--plot", "p.png"]], ids=str)
def test_a_dry_run_does_nothing(advtool, tmp_path, out):
    done = advtool(*SMALL, *THREAT, *out, "--val", "0.1", "--eval-data", "digits", "--dry-run")
    assert done.returncode == 0, done.stderr.decode()
    report = json.loads(done.stdout)
    assert report["output"] == (out[1] if out else "stdout")
    assert report["options"]["eps"] == 0.15 and report["options"]["epochs"] == 15
    assert not list(tmp_path.iterdir()) and b"epoch" not in done.stderr


def test_what_is_measured_on_the_way_is_drawn_and_recorded(advtool, tmp_path):
    watched = ["--eval-data", "mine=digits", "--val", "0.2", "--plot", "curve.svg"]
    done = advtool(*SMALL, "--epochs", "3", *watched, "--json", "-o", "m.safetensors")
    assert done.returncode == 0, done.stderr.decode()
    report = json.loads(done.stdout)
    assert report["selected"]["by"].startswith("best accuracy") and report["training"]["accuracy"].keys() == {"mine"}
    assert (tmp_path / "curve.svg").read_bytes().startswith(b"<?xml")
    assert len(meta(tmp_path / "m.safetensors")["history"]) == 3


def test_training_goes_on_from_a_checkpoint(advtool, tmp_path, checkpoint):
    start, done = meta(checkpoint), advtool("train", "--init", checkpoint, "--epochs", "0", "-o", "m.safetensors")
    assert done.returncode == 0, done.stderr.decode()
    x = torch.rand(4, 1, 8, 8)
    assert torch.equal(library.load(checkpoint)(x), library.load(tmp_path / "m.safetensors")(x))
    assert start["arch"] == meta(tmp_path / "m.safetensors")["arch"]
