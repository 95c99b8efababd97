"""`advtool distill` as a user runs it, and shards made in shares and in several goes."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import shard_factory as make
from tests_support import COMMAND, environment

from advtool.data.arrays import load
from advtool.data.sources import resolve

FAST = ("--steps", 5, "-n", 60)


def images_of(path):
    return load(resolve(str(path)))


def test_the_test_split_distils_too_and_the_head_records_how(advtool, checkpoint, tmp_path):
    done = advtool("distill", "--robust", checkpoint, "--split", "test", *FAST, "--seed", 4, "-o", "d.tar")
    assert done.returncode == 0, done.stderr
    made, original = images_of(tmp_path / "d.tar"), load(resolve("digits", "test"), 60)
    assert made.pixels.dtype == np.float32
    assert (made.keys, made.labels.tolist(), made.split) == (original.keys, original.labels.tolist(), "test")
    record = made.head.records[-1]
    assert (record["command"], record["steps"], record["step_size"], record["seed"]) == ("distill", 5, 0.1, 4)
    assert record["starts"] == "digits train, 1,437 images"
    train = set(load(resolve("digits", "train")).keys)
    assert all(p["start"] in train and p["source"] in original.keys for p in made.provenance)


def test_starts_of_another_source_and_how_far_images_went(advtool, checkpoint, tmp_path):
    assert advtool("data", "digits", "--split", "test", "-n", 30, "-o", "starts.tar").returncode == 0
    line = ("distill", "--ckpt", checkpoint, "--from", "starts.tar", "--steps", 3, "-n", 40, "-o", "d.tar")
    done = advtool(*line)
    assert b"starts: starts.tar, 30 images" in done.stderr, done.stderr
    made, source, starts = (
        images_of(tmp_path / "d.tar"),
        load(resolve("digits"), 40),
        images_of(tmp_path / "starts.tar"),
    )
    for index, facts in enumerate(made.provenance):
        image, own = made.pixels[index].astype(float), source.pixels[index] / 255
        begun = starts.pixels[starts.keys.index(facts["start"])] / 255
        assert facts["l2_source"] == pytest.approx(np.linalg.norm(image - own), rel=1e-5)
        assert facts["l2_start"] == pytest.approx(np.linalg.norm(image - begun), rel=1e-5)


def test_images_that_are_their_sources_again_are_warned_of(advtool, checkpoint):
    far = advtool("distill", "--ckpt", checkpoint, *FAST, "-o", "far.tar")
    near = advtool("distill", "--ckpt", checkpoint, "-n", 60, "--steps", 300, "--layer", "0", "-o", "near.tar")
    assert b"nearly their sources again" in near.stderr and b"again" not in far.stderr


def test_no_step_from_an_image_gives_that_image(advtool, checkpoint, tmp_path):
    assert advtool("distill", "--ckpt", checkpoint, "--steps", 0, "-n", 40, "-o", "d.tar").returncode == 0
    made, original = images_of(tmp_path / "d.tar"), load(resolve("digits", "train"), 40)
    starts = [original.keys.index(p["start"]) for p in made.provenance]
    np.testing.assert_array_equal(made.pixels, original.pixels[starts].astype(np.float32) / 255)
    assert all(p["first"] == p["last"] for p in made.provenance)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--from", "cats"], 2, "--from"),
        (["--layer", "nosuch"], 2, "unknown layer"),
        (["--step-size", "0"], 2, "--step-size 0: must be above 0"),
        (["--resume"], 2, "--resume: needs -o DIR/"),
        (["-n", 1], 1, "only one"),
    ],
)
def test_impossible_wishes(advtool, checkpoint, arguments, code, says):
    done = advtool("distill", "--robust", checkpoint, "--steps", 2, *arguments)
    assert done.returncode == code
    assert says in done.stderr.decode().splitlines()[-1]


@pytest.mark.parametrize(
    "command", [("distill", *FAST), pytest.param(("attack", "--eps", 0.5, *FAST), marks=pytest.mark.slow)]
)
def test_two_processes_make_the_same_samples_as_one(advtool, checkpoint, tmp_path, command):
    arguments = [*command, "--ckpt", checkpoint, "--shard-size", 16]
    assert advtool(*arguments, "-o", "one/").returncode == 0
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "advtool"]
    done = subprocess.run(
        [*torchrun, *map(str, arguments), "-o", "two/"],
        cwd=tmp_path,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr.decode()
    one, two = images_of(tmp_path / "one"), images_of(tmp_path / "two")
    assert one.keys == two.keys
    np.testing.assert_allclose(one.pixels, two.pixels, atol=1e-5)
    assert make.files_below(tmp_path / "two") == [f"train-{i:06d}.tar" for i in range(4)]


def test_a_run_that_was_killed_goes_on_from_its_finished_shards(advtool, checkpoint, tmp_path):
    arguments = ["distill", "--robust", str(checkpoint), "--steps", "60", "-n", "96", "--shard-size", "8"]
    arguments += ["--batch-size", "8"]
    assert advtool(*arguments, "-o", "whole/").returncode == 0
    running = subprocess.Popen(
        [*COMMAND, *arguments, "-o", "cut/"], cwd=tmp_path, env=environment(), stdin=subprocess.DEVNULL
    )
    cut, limit = tmp_path / "cut", time.monotonic() + 60
    while not list(cut.glob(".train-*.part")) and time.monotonic() < limit:
        time.sleep(0.002)
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    finished = len(list(cut.glob(".*.part")))
    assert 0 < finished < 12
    refused = advtool(*arguments, "-o", "cut/")
    assert (refused.returncode, b"--resume" in refused.stderr) == (2, True)
    other = advtool(*arguments, "--seed", 9, "-o", "cut/", "--resume")
    assert (other.returncode, b"of another command" in other.stderr) == (2, True)
    done = advtool(*arguments, "-o", "cut/", "--resume")
    assert done.returncode == 0, done.stderr
    assert f"{finished} shards".encode() in done.stderr
    for path in (tmp_path / "whole").iterdir():
        mine = make.read((cut / path.name).read_bytes())
        theirs = make.read(path.read_bytes())
        assert [s.members["json"] for s in mine] == [s.members["json"] for s in theirs]
    assert not [path for path in cut.iterdir() if path.name.endswith(".part")]


def test_a_stage_that_dies_leaves_nothing(shell, checkpoint, tmp_path):
    line = f"(advtool data digits; exit 3) | head -c 20000 | advtool distill --robust {checkpoint} --steps 1 -o d.tar"
    done = shell(line)
    assert done.returncode != 0
    assert done.stderr.decode().strip().splitlines()[-1].startswith("advtool: error: stdin")
    assert make.files_below(tmp_path) == []


@pytest.mark.slow
def test_pipelines_of_the_paper(shell, checkpoint, tmp_path):
    """D_R, D_rand, D_det and the relabelled test set, in small."""
    m = checkpoint
    train = "advtool train --arch mlp --hidden 16 --epochs 1 -q"
    attack = f"advtool attack --targeted --ckpt {m} --adv l2 --eps 0.5 --steps 2 --step-size 0.1"
    done = shell(
        f"""set -e
        advtool distill --robust {m} --steps 2 -n 200 | {train} -o dr.safetensors
        advtool relabel --random -n 200 | {attack} | {train} -o rand.safetensors
        advtool relabel --shift 1 -n 200 | {attack} -o det.tar
        {train} --data det.tar -o det.safetensors
        advtool relabel --split test --shift 1 | advtool eval --ckpt det.safetensors --json"""
    )
    assert done.returncode == 0, done.stderr.decode()
    assert json.loads(done.stdout)["clean"]["n"] == 360
    det = images_of(tmp_path / "det.tar")
    for label, facts in zip(det.labels, det.provenance, strict=True):
        assert label == (facts["original_label"] + 1) % 10
        assert facts["distance"] <= 0.5 * (1 + 1e-6)
        assert facts["success"] == (facts["prediction"] == label)
