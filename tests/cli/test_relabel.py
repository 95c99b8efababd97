"""`advtool relabel` as a user runs it."""

import json
import os
import subprocess

import numpy as np
import pytest
import shard_factory as make
from tests_support import COMMAND, environment

from advtool.data.arrays import load
from advtool.data.sources import resolve
from advtool.io.head import Head
from advtool.io.shards import write_stream

CLASSES = tuple(map(str, range(10)))


def labels_of(data: bytes) -> dict[str, int]:
    return {sample.key: sample.label for sample in make.read(data)}


def test_random_labels_are_the_same_in_one_stream_in_ten_shards_and_reversed(advtool, tmp_path):
    made = [make.sample(f"k{index:03d}", index % 10) for index in range(200)]
    head = Head(classes=CLASSES, num_classes=10)
    directory = tmp_path / "shards"
    directory.mkdir()
    for part in range(10):
        (directory / f"train-{part:06d}.tar").write_bytes(make.shard(made[20 * part : 20 * part + 20], head))
    (tmp_path / "back.tar").write_bytes(make.shard(made[::-1], head))
    whole = labels_of(advtool("relabel", "--random", "--seed", 3, stdin=make.shard(made, head)).stdout)
    assert labels_of(advtool("relabel", "--random", "--seed", 3, "--data", directory).stdout) == whole
    assert labels_of(advtool("relabel", "--random", "--seed", 3, "--data", "back.tar").stdout) == whole
    assert len(set(whole.values())) == 10


def test_the_head_records_the_rule_and_the_new_classes(advtool, tmp_path):
    done = advtool("relabel", "--keep", "5,7", "-o", "kept.tar")
    assert done.returncode == 0, done.stderr
    images = load(resolve(str(tmp_path / "kept.tar")))
    assert (images.head.classes, images.head.num_classes, images.head.split) == (("5", "7"), 2, "train")
    assert images.head.records[-1]["rule"] == "keep"
    assert images.head.history[-1] == "advtool relabel --keep 5,7"
    originals = [p["original_label"] for p in images.provenance]
    assert np.array_equal(images.labels == 0, np.array(originals) == 5)
    assert b"1,149" in done.stderr


def test_labels_of_a_model(advtool, checkpoint, tmp_path):
    assert advtool("relabel", "--predict", checkpoint, "--split", "test", "-o", "p.tar").returncode == 0
    report = json.loads(advtool("eval", "--ckpt", checkpoint, "--data", "p.tar", "--json").stdout)
    assert report["clean"]["accuracy"] == 1.0
    original = json.loads(advtool("eval", "--ckpt", checkpoint, "--json").stdout)
    images = load(resolve(str(tmp_path / "p.tar")))
    agree = sum(p["original_label"] == y for p, y in zip(images.provenance, images.labels, strict=True))
    assert agree == original["clean"]["correct"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "give one of"),
        (["--shift", 1, "--random"], "give one of"),
        (["--shift", 1, "--exclude-true"], "is for --random"),
        (["--keep", "12"], "has 10 classes"),
        (["--map", "restrictd-imagenet"], "did you mean restricted-imagenet"),
        (["--map", "no/such.json"], "no such file"),
        (["--random", "--classes", 7], "says that it has 10"),
    ],
)
def test_impossible_wishes_are_usage_errors(advtool, arguments, says):
    done = advtool("relabel", *arguments)
    assert (done.returncode, done.stdout) == (2, b"")
    assert says in done.stderr.decode()
    assert done.stderr.count(b"\n") == 1


def test_a_pipe_that_does_not_say_its_classes_needs_to_be_told(advtool):
    bare = make.shard([make.sample("a", 1), make.sample("b", 2)])
    assert b"--classes: needed" in advtool("relabel", "--shift", 1, stdin=bare).stderr
    told = advtool("relabel", "--shift", 1, "--classes", 3, stdin=bare)
    assert labels_of(told.stdout) == {"a": 2, "b": 0}


def test_nothing_left_is_an_error_and_no_file(advtool, tmp_path):
    only = make.shard([make.sample("a", 1)], Head(classes=CLASSES, num_classes=10))
    done = advtool("relabel", "--keep", "5", "-o", "none.tar", stdin=only)
    assert done.returncode == 1
    assert b"no sample is left" in done.stderr
    assert make.files_below(tmp_path) == []


def test_restricted_imagenet_of_the_sample(advtool, shared_data, tmp_path):
    done = advtool("relabel", "--data", shared_data / "imagenet-sample", "--map", "restricted-imagenet", "-o", "r.tar")
    assert done.returncode == 0, done.stderr
    made = make.read((tmp_path / "r.tar").read_bytes())
    assert np.bincount([sample.label for sample in made]).tolist() == [118, 5, 3, 5, 21, 18, 9, 4, 20]


@pytest.mark.slow
def test_two_gigabytes_go_through_in_little_memory(tmp_path):
    noise = make.encode(np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8), "PNG")
    n = 2**31 // len(noise) + 1
    done = subprocess.Popen(
        ["bash", "-c", f'"{COMMAND[0]}" -m advtool relabel --random --classes 10 | tail -c 1024 | wc -c'],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(),
        cwd=tmp_path,
    )
    members = {"png": noise, "cls": b"3"}
    write_stream(done.stdin, Head(), (make.Sample(f"{index:07d}", members, "made") for index in range(n)))
    done.stdin.close()
    with done.stdout as shown:
        assert shown.read().strip() == b"1024"
    _, status, used = os.wait4(done.pid, 0)
    done.returncode = os.waitstatus_to_exitcode(status)
    assert done.returncode == 0 and used.ru_maxrss < 600 * 1024
