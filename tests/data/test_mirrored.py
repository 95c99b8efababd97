"""Whether flips augment is decided by where the images came from, however they reach training."""

import io

import pytest
import shard_factory as make
import torch

from advtool.data.catalogue import ENTRIES, is_mirrored
from advtool.data.convert import convert
from advtool.data.sources import embedded_shards, resolve
from advtool.io import shards
from advtool.io.head import Head
from advtool.io.readers import SampleReader
from advtool.io.streams import open_path
from advtool.preprocessing import Preprocessing
from advtool.training.options import Training
from advtool.training.run import TrainingRun

UNMIRRORED = {"digits", "patterns", "mnist", "kmnist", "svhn"}


def entry_head(name: str) -> Head:
    """What the reader of a named set says."""
    entry = ENTRIES[name]
    classes = entry.classes or tuple(map(str, range(10)))
    return Head(classes, len(classes), entry.shape, "train", entry.source or name)


def augment(path, **wishes) -> str:
    """The default with which images at `path` are trained on."""
    run = TrainingRun(resolve(str(path)), Training(arch="linear", epochs=1, **wishes), torch.device("cpu"))
    return run.config.augment


def test_the_entries_say_which_sets_keep_their_classes_in_a_mirror():
    assert {name for name, entry in ENTRIES.items() if not entry.mirrored} == UNMIRRORED


def test_the_embedded_digits_say_what_their_entry_says():
    for path in embedded_shards().glob("digits-*.tar"):
        with SampleReader([open_path(path)], "digits") as reader:
            assert reader.head.source == ENTRIES["digits"].source


@pytest.mark.parametrize("origin", [None, "photographs", "my/svhn", "digits.npz"])
def test_what_is_not_known_is_mirrored(origin):
    assert is_mirrored(origin)


@pytest.mark.parametrize("name", ENTRIES)
def test_shards_of_a_named_set_are_mirrored_like_the_set(tmp_path, name):
    channels, side, _ = entry_head(name).shape
    made = [make.sample(f"k{i}", i % 3, make.pixels(i, channels, max(side, 32))) for i in range(6)]
    head = entry_head(name).after("advtool data", shape=made[0].shape())
    for directory, changed in (
        ("converted", head),
        ("attacked", head.after("advtool attack", {"command": "attack"})),
        ("relabelled", head.after("advtool relabel", classes=("a", "b", "c"), num_classes=3)),
    ):
        make.write_shards(tmp_path / directory, "train", made, changed)
        default = augment(tmp_path / directory)
        assert default == ("crop" if name in UNMIRRORED else "crop+flip")
        assert augment(tmp_path / directory, size=16) == ("rrc" if name in UNMIRRORED else "rrc+flip")
        again = convert(resolve(str(tmp_path / directory)), "advtool data")
        assert is_mirrored(again.head.source) == ENTRIES[name].mirrored


def test_digits_scaled_up_are_not_flipped(tmp_path):
    conversion = convert(resolve("digits"), "advtool data digits --size 32", limit=20, preprocessing=Preprocessing(32))
    out = io.BytesIO()
    shards.write_stream(out, conversion.head, conversion.samples)
    (tmp_path / "large.tar").write_bytes(out.getvalue())
    assert augment(tmp_path / "large.tar") == "crop"


def test_a_stream_without_a_head_is_mirrored_whatever_its_name(tmp_path):
    path = tmp_path / "svhn"
    path.write_bytes(make.shard([make.sample(f"k{i}", i % 3, make.pixels(i, 3, 32)) for i in range(6)]))
    assert augment(path) == "crop+flip"
