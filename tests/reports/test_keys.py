"""Keys in every command, and the ways out that refusals name."""

import json
import subprocess
import tarfile
from functools import partial

import pytest
import shard_factory as make
from foreign_shards import SORTED, N, apart, grey_and_colour, masked, name_of, named, plain, shard, with_text
from situations import run


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def info(*arguments: object) -> dict:
    status, out, err = run("data", *arguments, "--info", "--json")
    assert status == 0, err
    return json.loads(out)["parts"][0]


KEYED = ["--image-key", "jpg", "--label-key", "json:label", "-q"]


def test_what_is_read_with_keys_is_written_as_shards_are(place):
    shard(named)
    assert run("data", "set.tar", *KEYED, "-o", "new.tar")[0] == 0
    with tarfile.open("new.tar") as tar:
        assert tar.getnames()[:4] == ["__advtool__/head", "0000.jpg", "0000.cls", "0000.json"]
    with tarfile.open("set.tar") as old, tarfile.open("new.tar") as new:
        assert new.extractfile("0000.jpg").read() == old.extractfile("0000.jpg").read()
    found = info("new.tar")
    assert (found["class_counts"], found["classes"]) == ([2, 2, 2], SORTED)
    assert found["history"] == ["advtool data set.tar --image-key jpg --label-key json:label"]


@pytest.mark.parametrize(
    ("command", "reads"),
    [
        ("relabel --shift 1", "new.tar"),
        ("attack --ckpt m.safetensors --eps 0.1 --steps 1", "new.tar"),
        ("distill --ckpt m.safetensors --steps 1", "new.tar"),
        ("eval --ckpt m.safetensors --json", None),
        ("explain --ckpt m.safetensors --shards new.tar", "new.tar"),
        ("train --epochs 1 --arch linear --eval-data set.tar --json", None),
    ],
)
def test_every_command_takes_keys(command, reads, place):
    shard(named)
    trained = run("train", "--data", "set.tar", *KEYED, "--arch", "linear", "--epochs", "1", "-o", "m.safetensors")
    assert trained[0] == 0, trained[2]
    name, *words = command.split()
    out = {"eval": [], "explain": [], "train": ["-o", "n.safetensors"]}.get(name, ["-o", "new.tar"])
    status, _, err = run(name, "--data", "set.tar", *KEYED, *words, *out)
    assert status == 0, err
    if reads:
        found = info(reads)
        assert found["class_counts"] == [2, 2, 2] and found["classes"] == SORTED


def test_what_relabel_does_not_pass_on_is_said(place):
    shard(partial(masked, txt="words"), before=[("README.md", b"x")])
    status, _, err = run("relabel", "--data", "set.tar", "--image-key", "jpg", "--keep", "2", "-o", "new.tar")
    assert status == 0
    assert sorted({line for line in err.splitlines() if "warning" in line}) == [
        "advtool: warning: set.tar: 'README': member md passed over, no image or label",
        "advtool: warning: set.tar: .png left out, since .jpg is the image",
    ]
    with tarfile.open("new.tar") as tar:
        assert tar.getnames()[1:5] == ["0002.jpg", "0002.txt", "0002.cls", "0002.json"]


def test_keys_are_for_those_sources_that_are_shards(place):
    shard(lambda i: {"png": make.encode(make.pixels(i)[0], "PNG"), "txt": str(i)})
    words = ["train", "--data", "digits", "-n", "20", "--epochs", "1", "--arch", "linear", "-o", "m.safetensors"]
    status, _, err = run(*words, "--eval-data", "set.tar", "--label-key", "txt", "-q")
    assert status == 0, err


def test_a_stream_of_names_is_refused_and_the_way_out_works(advtool, place):
    shard(with_text(name_of))
    done = advtool("data", "--info", "--label-key", "txt", stdin=(place / "set.tar").read_bytes())
    (line,) = done.stderr.decode().splitlines()
    assert "stdin: sample '0000': label 'emu' is a class name" in line
    assert "`advtool data SHARDS --label-key txt -o NEW.tar`" in line
    assert advtool("data", "set.tar", "--label-key", "txt", "-o", "new.tar").returncode == 0
    done = advtool("data", "--info", "--json", stdin=(place / "new.tar").read_bytes())
    assert json.loads(done.stdout)["parts"][0]["classes"] == SORTED
    done = advtool("data", "--info", "--json", "--label-key", "cls", stdin=(place / "new.tar").read_bytes())
    assert json.loads(done.stdout)["parts"][0]["class_counts"] == [2, 2, 2]


def test_members_that_lie_apart_lie_together_after_packing_by_name(place):
    apart(("png",), ("cls",), ("json",))
    (place / "DIR").mkdir()
    subprocess.run("tar -xf set.tar -C DIR && tar --sort=name -cf NEW.tar -C DIR .", shell=True, check=True)
    assert info("NEW.tar")["n"] == N


def test_json_that_is_no_object_is_taken_out_by_tar(place):
    shard(partial(plain, json=[1]))
    subprocess.run("tar --delete --wildcards -f set.tar '*.json'", shell=True, check=True)
    status, _, err = run("relabel", "--data", "set.tar", "--shift", "1", "--classes", "3", "-o", "new.tar")
    assert status == 0, err


@pytest.mark.parametrize("options", [[], ["--size", "4"]])
def test_a_set_of_grey_and_colour_images_is_made_colour(options, place):
    words = grey_and_colour("--colour", *options, "-o", "new.tar", "-q")
    status, _, err = run(*words)
    assert status == 0, err
    side = 4 if options else 8
    found = info("new.tar")
    assert (found["n"], found["shape"]) == (161, [3, side, side])
    assert run("data", "new.tar", "--verify")[0] == 0


def test_the_class_names_of_all_shards_are_one_list(place):
    shard(with_text(lambda i: "owl"), "a.tar")
    shard(with_text(lambda i: "ant" if i else "owl"), "b.tar")
    found = info("[ab].tar", "--label-key", "txt")
    assert (found["classes"], found["class_counts"]) == (["ant", "owl"], [5, 7])
