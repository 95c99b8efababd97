"""``advtool eval``: counts that can be counted by hand, the keys of its report, files beside it, and exit codes."""

import json

import numpy as np
import pytest
import torch

import advtool as library
from advtool.attacks import pgd
from advtool.ball import L2
from advtool.data.arrays import load
from advtool.data.sources import resolve
from advtool.keyed import ids_of

THREAT = ["--adv", "l2", "--eps", "0.5", "--steps", "5"]


def digits(n: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """(images, labels, ids) of the first test digits."""
    images = load(resolve("digits", "test"), n)
    pixels = torch.tensor(images.pixels.astype(np.float32) / 255)
    return pixels, torch.tensor(images.labels), ids_of(images.keys)


def test_accuracies_are_those_counted_by_hand(advtool, checkpoint):
    done = advtool("eval", "--ckpt", checkpoint, *THREAT, "-n", "80", "--no-amp")
    assert done.returncode == 0, done.stderr.decode()
    report, model = json.loads(done.stdout), library.load(checkpoint).eval()
    x, y, ids = digits(80)
    right = model(x).argmax(1) == y
    moved = pgd(model, x, y, L2(0.5), steps=5, ids=ids)
    standing = right & (model(moved).argmax(1) == y)
    assert report["clean"]["correct"] == int(right.sum())
    (entry,) = report["adversarial"]
    assert entry["correct"] == int(standing.sum()) < int(right.sum())
    assert entry["risk"]["joint"] == pytest.approx(1 - int(standing.sum()) / 80)


def test_every_report_has_the_same_keys(advtool, checkpoint):
    common = {"schema", "command", "checkpoint", "data", "clean", "adversarial", "flags", "seed", "device", "seconds"}
    own = {"adv", "eps", "attack", "accuracy", "correct", "n", "ci95", "risk"}
    for options in ([], THREAT, [*THREAT, "--attack", "apgd,square"], [*THREAT[:4], "--steps", "2,4", "--no-checks"]):
        done = advtool("eval", "--ckpt", checkpoint, *options, "-n", "20")
        assert done.returncode == 0, done.stderr.decode()
        report = json.loads(done.stdout)
        assert report.keys() >= common and done.stdout.count(b"\n") == 1
        plain = {"source": "digits", "split": "test", "n": 20, "classes": 10}
        assert report["data"] == plain | {"matched": None, "preprocessing": None, "adversarial": None}
        assert all(entry.keys() >= own for entry in report["adversarial"])
        assert len({frozenset(entry) for entry in report["adversarial"]}) <= 1


def test_a_checkpoint_from_stdin(advtool, checkpoint):
    piped = json.loads(advtool("eval", "-n", "30", stdin=checkpoint.read_bytes()).stdout)
    named = json.loads(advtool("eval", "-n", "30", "--ckpt", checkpoint).stdout)
    assert piped["checkpoint"].pop("path") == "stdin" and named["checkpoint"].pop("path") == str(checkpoint)
    assert (piped["checkpoint"], piped["clean"]) == (named["checkpoint"], named["clean"])


def test_what_became_of_each_image(advtool, tmp_path, checkpoint):
    options = ["eval", "--ckpt", checkpoint, *THREAT, "-n", "40", "--per-sample", "p.jsonl", "--no-checks"]
    report = json.loads(advtool(*options).stdout)
    first, *lines = map(json.loads, (tmp_path / "p.jsonl").read_text().splitlines())
    assert first["run"]["sha256"] == report["checkpoint"]["sha256"] and len(lines) == 40
    assert sum(line["broken_by"] is None for line in lines) == report["adversarial"][0]["correct"]
    assert sum(line["broken_by"] != "clean" for line in lines) == report["clean"]["correct"]
    whole = (tmp_path / "p.jsonl").read_bytes()
    again = json.loads(advtool(*options).stdout)  # nothing is left to do, and nothing is written
    assert again["adversarial"][0]["correct"] == report["adversarial"][0]["correct"]
    assert (tmp_path / "p.jsonl").read_bytes() == whole
    other = advtool(*options, "--seed", "5")
    assert other.returncode in (1, 2) and (tmp_path / "p.jsonl").read_bytes() == whole


@pytest.mark.parametrize("more", [[], THREAT, [*THREAT, "--per-sample", "p.jsonl", "--plot", "c.png"]], ids=str)
def test_a_dry_run_does_nothing(advtool, tmp_path, checkpoint, more):
    done = advtool("eval", "--ckpt", checkpoint, *more, "--dry-run")
    assert done.returncode == 0, done.stderr.decode()
    report = json.loads(done.stdout)
    assert (report["command"], report["source"], report["split"]) == ("eval", "digits", "test")
    assert report["options"]["steps"] == ([5] if more else None)
    assert not list(tmp_path.iterdir())


def test_several_checkpoints_make_several_reports(advtool, checkpoint):
    process = advtool("eval", "--ckpt", checkpoint, "--ckpt", checkpoint, "-n", "50")
    first, second = json.loads(process.stdout)["models"]
    assert first["clean"] == second["clean"]


def test_strict_turns_a_red_flag_into_a_status(advtool, tmp_path):
    assert advtool("train", "--epochs", "0", "-o", "untrained", "-q").returncode == 0
    process = advtool("eval", "--ckpt", "untrained", "--strict")
    assert process.returncode == 1 and b"chance" in process.stderr
    assert json.loads(process.stdout)["flags"][0]["name"] == "chance"


def test_curves_and_their_picture(advtool, tmp_path, checkpoint):
    options = [
        "--adv",
        "l2",
        "--eps",
        "0.3",
        "--steps",
        "1,4,16",
        "--step-size",
        "0.1",
        "--no-checks",
        "--plot",
        "c.png",
    ]
    process = advtool("eval", "--ckpt", checkpoint, *options)
    assert process.returncode == 0, process.stderr.decode()
    report = json.loads(process.stdout)
    assert [entry["steps"] for entry in report["adversarial"]] == [1, 4, 16]
    assert report["plateau"][0]["to_steps"] == 16
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["eval", "--adv", "l2", "--eps", "1", "--attack", "autoatack"], "autoattack"),
        (["eval", "--attack", "autoattack"], "--adv"),
        (["eval", "--adv", "l2", "--eps", "1", "--steps", "0"], "--steps"),
        (["eval", "--adv", "l2", "--eps", "1", "--plot", "x.gif"], ".png"),
        (["eval", "--adv", "l2,linf", "--eps", "1,0.1", "--plot", "x.png"], "--plot x.png: is for one norm"),
        (["eval", "--adv", "l2", "--eps", "1", "--attack", "fab", "--steps", "1,2"], "--steps"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_usage_errors(advtool, checkpoint, arguments, words):
    process = advtool(*arguments, "--ckpt", checkpoint)
    errors = [line for line in process.stderr.decode().splitlines() if "error" in line]
    assert process.returncode == 2 and len(errors) == 1 and words in errors[0], process.stderr.decode()
    assert process.stdout == b""
