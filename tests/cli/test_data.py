"""``advtool data``: conversion, counts, verification and the list of names."""

import io
import json

import numpy as np
import pytest
from PIL import Image
from shard_factory import read

from advtool.data.arrays import load
from advtool.data.sources import resolve


@pytest.mark.parametrize("split", ["train", "test"])
def test_what_is_written_is_what_was_read(advtool, tmp_path, split):
    done = advtool("data", "digits", "--split", split, "-o", "d.tar")
    assert (done.returncode, done.stdout) == (0, b""), done.stderr.decode()
    made, original = load(resolve(str(tmp_path / "d.tar"))), load(resolve("digits", split))
    assert (made.keys, made.split, made.head.classes) == (original.keys, split, original.head.classes)
    np.testing.assert_array_equal(made.pixels, original.pixels)
    assert made.labels.tolist() == original.labels.tolist()
    assert made.head.history[-1] == f"advtool data digits --split {split}"


def test_a_directory_of_shards(advtool, tmp_path):
    done = advtool("data", "digits", "--split", "test", "-o", "out/", "--shard-size", "100")
    assert done.returncode == 0, done.stderr.decode()
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == [f"test-{number:06d}.tar" for number in range(4)]
    assert load(resolve(str(tmp_path / "out"), "test")).keys == load(resolve("digits", "test")).keys


def test_images_are_scaled_and_cropped(advtool):
    done = advtool("data", "digits", "-n", "5", "--size", "16")
    samples = read(done.stdout)
    assert [Image.open(io.BytesIO(sample.members["png"])).size for sample in samples] == [(16, 16)] * 5


def test_info(advtool):
    (part,) = json.loads(advtool("data", "digits", "--info", "--split", "test", "--json").stdout)["parts"]
    assert part.keys() >= {
        "source",
        "split",
        "n",
        "shape",
        "formats",
        "num_classes",
        "class_counts",
        "classes",
        "origin",
    }
    assert (part["n"], part["shape"], part["num_classes"]) == (360, [1, 8, 8], 10)
    assert sum(part["class_counts"]) == 360
    both = json.loads(advtool("data", "--info").stdout)["parts"]
    assert [part["split"] for part in both] == ["train", "test"]
    (few,) = json.loads(advtool("data", "digits", "--info", "--split", "test", "-n", "7").stdout)["parts"]
    assert few["n"] == 7


def test_verification_finds_the_first_fault(advtool, tmp_path):
    good = advtool("data", "digits", "-n", "40").stdout
    (tmp_path / "good.tar").write_bytes(good)
    spoilt = bytearray(good)
    spoilt[good.index(b"IDAT", len(good) // 2) + 6] ^= 0xFF
    (tmp_path / "bad.tar").write_bytes(spoilt)
    fine = advtool("data", "good.tar", "--verify", "--json")
    assert fine.returncode == 0 and json.loads(fine.stdout)["parts"][0]["good"] == 40
    found = advtool("data", "bad.tar", "--verify", "--json")
    (part,) = json.loads(found.stdout)["parts"]
    assert found.returncode == 1 and 0 < part["good"] < 40 and "corrupt png" in part["fault"]
    assert f"({part['good']} good samples before it)".encode() in found.stderr


def test_the_list_of_names(advtool, tmp_path):
    report = json.loads(advtool("data", "--list", ADVTOOL_DATA=str(tmp_path)).stdout)
    assert report.keys() == {"schema", "command", "data_root", "datasets"} and report["data_root"] == str(tmp_path)
    on_disk = {entry["name"]: entry["on_disk"] for entry in report["datasets"]}
    assert on_disk["digits"] and not on_disk["cifar10"]


def test_what_exists_is_overwritten_with_f_only(advtool, tmp_path):
    path = tmp_path / "d.tar"
    path.write_bytes(b"precious")
    assert advtool("data", "-n", "3", "-o", path).returncode == 2 and path.read_bytes() == b"precious"
    assert advtool("data", "-n", "3", "-o", path, "-f").returncode == 0 and len(load(resolve(str(path)))) == 3
    options = ["data", "-n", "30", "-o", "out/", "--shard-size"]
    assert advtool(*options, "10").returncode == 0
    refused = advtool(*options, "15")
    assert refused.returncode == 2 and b"-f overwrites them" in refused.stderr
    assert advtool(*options, "15", "-f").returncode == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["train-000000.tar", "train-000001.tar"]


@pytest.mark.parametrize("out", [[], ["-o", "d.tar"], ["-o", "out/"]], ids=str)
def test_a_dry_run_does_nothing(advtool, tmp_path, out):
    done = advtool("data", "digits", *out, "--dry-run")
    assert done.returncode == 0, done.stderr.decode()
    report = json.loads(done.stdout)
    assert report["source"] == "digits" and report["options"]["split"] == "train"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["digits", "--data", "digits"], "give one of them"),
        (["--list", "--info"], "exclude one another"),
        (["--info", "-o", "x.tar"], "-o"),
        (["--list", "-n", "3"], "--limit: is for --info"),
        (["--verify", "--size", "9"], "--size: is for conversion"),
        (["digits", "--json"], "--json: is for --list"),
        (["digits", "--shard-size", "9"], "--shard-size"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_has_no_use_is_refused(advtool, tmp_path, arguments, words):
    done = advtool("data", *arguments)
    assert (done.returncode, done.stdout) == (2, b"") and words in done.stderr.decode()
    assert done.stderr.count(b"\n") == 1 and not list(tmp_path.iterdir())
