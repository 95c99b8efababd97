"""Layouts: which part of a data set is read, and what the classes are, however it lies on disk."""

import re
from pathlib import Path

import numpy as np
import pytest
import shard_factory as make
from situations import Situation, run, table

from advtool.io.head import Head

INFO = ("--info", "--json")
AB = {"a": 2, "b": 1}


def shard(path: str, n: int, split: str | None = None) -> None:
    """A shard whose head says a split, or that has none."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    made = make.samples(n, prefix=re.sub(r"\W", "_", path))
    data = make.shard(made, Head(split=split, num_classes=3))
    if split is None:
        data = make.tar([(f"{s.key}.{kind}", content) for s in made for kind, content in s.members.items()])
    Path(path).write_bytes(data)


def picture(path: str, label: int = 0) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_bytes(make.encode(make.pixels(label)[0], "JPEG"))


def text(path: str, content: str) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(content)


def shards(**splits_of: tuple[int, str | None]):
    """``name=(n, split)`` as shards in own/, ``__`` for a slash and ``_`` for a hyphen."""

    def build(*arguments: str) -> list[str]:
        for name, (n, split) in splits_of.items():
            shard(f"own/{name.replace('__', '/').replace('_', '-')}.tar", n, split)
        return ["data", "own", *arguments, *INFO]

    return build


def folders(*paths: str, data: str = "d"):
    """Class folders a and b below each of these."""

    def build(*arguments: str) -> list[str]:
        for path in paths:
            make.write_classes(Path(path), AB)
        return ["data", data, *arguments, *INFO]

    return build


def archive(**arrays: int):
    """x and y of so many images, with a suffix."""

    def build(*arguments: str) -> list[str]:
        members = {f"x_{k}": np.zeros((n, 8, 8), np.uint8) for k, n in arrays.items()}
        np.savez("a.npz", **members, **{f"y_{k}": np.arange(n) % 2 for k, n in arrays.items()})
        return ["data", "a.npz", *arguments, *INFO]

    return build


def beside(build, *made):
    """More files first."""

    def built() -> list[str]:
        for make_file in made:
            make_file()
        return build()

    return built


def damaged_val() -> list[str]:
    shards(train_0=(3, "train"))()
    Path("own/extra.tar").write_bytes(b"no tar")
    return ["data", "own", *INFO]


TRAIN, TEST = {"parts.0.split": "train"}, {"parts.1.split": "test"}
HEADS = shards(train=(5, "train"), test=(3, "test"))

ROWS = [
    Situation(
        "shards called anything, whose heads say their splits",
        lambda: shards(one=(5, "train"), two=(3, "test"))(),
        report=TRAIN | TEST | {"parts.0.n": 5, "parts.1.n": 3, "parts.0.layout": "shards by the split in their heads"},
    ),
    Situation("train.tar and test.tar", lambda: HEADS("--split", "test"), report={"parts.0.n": 3}),
    Situation(
        "names delimited by anything but letters, in any case",
        shards(cifar_train=(4, None), ImageNet_Val_0001=(2, None)),
        report=TRAIN | TEST | {"parts.0.n": 4, "parts.1.n": 2},
    ),
    Situation(
        "folders of shards",
        lambda: shards(train__0=(3, None), train__1=(3, None), test__0=(2, None))(),
        report={"parts.0.n": 6, "parts.1.n": 2, "parts.0.layout": "shards by the split in their names"},
    ),
    Situation("letters on both sides are no token", shards(latest=(2, None), a=(2, None)), report={"parts.0.n": 4}),
    Situation(
        "val and test are two parts",
        shards(train=(4, "train"), val=(2, "val"), test=(3, "test")),
        report={"parts.1.split": "val", "parts.1.n": 2, "parts.2.split": "test", "parts.2.n": 3},
    ),
    Situation(
        "val by its name",
        lambda: shards(train=(4, "train"), val=(2, "val"), test=(3, "test"))("--split", "val"),
        report={"parts.0.n": 2, "parts.0.split": "val"},
    ),
    Situation(
        "val is test where there is none",
        lambda: shards(train=(4, None), valid=(2, None))("--split", "test"),
        report={"parts.0.n": 2, "parts.0.split": "test"},
    ),
    Situation(
        "a head of version 0.1 that says test in a file called val",
        shards(train=(4, "train"), val=(2, "test")),
        report=TEST | {"parts.1.n": 2},
    ),
    Situation(
        "head against name", shards(train=(4, "test"), a=(1, "train")), refused="train.tar: its head says test.*train"
    ),
    Situation("file against folder", shards(train__test_0=(1, None)), refused="name says test, but its folder's train"),
    Situation(
        "a name of two splits", shards(train_test=(1, None), train=(1, None)), refused="name says test and train"
    ),
    Situation(
        "one of no split among others", shards(train=(3, "train"), a=(1, None)), refused="a.tar: says no split, but"
    ),
    Situation("a damaged one among others", damaged_val, refused="extra.tar: looks like plain text"),
    Situation(
        "a glob over two splits",
        lambda: [*HEADS()[:1], "own/*.tar", *INFO],
        refused=r"own/\*.tar mixes train \(own/train.tar\) and test \(own/test.tar\)",
    ),
    Situation(
        "a glob over two folders",
        lambda: shards(train__0=(3, None), test__0=(2, None))() and ["data", "own/*/0.tar", *INFO],
        refused="mixes",
    ),
    Situation(
        "a glob, and the part that is wanted of it",
        lambda: [*HEADS()[:1], "own/*.tar", "--split", "test", *INFO],
        report={"parts.0.n": 3, "parts.0.split": "test"},
    ),
    Situation(
        "braces of one split",
        lambda: shards(train_0=(2, None), train_1=(2, None))() and ["data", "own/train-{0..1}.tar", *INFO],
        report={"parts.0.n": 4},
    ),
    Situation(
        "shards and class folders in one",
        beside(shards(train=(3, "train")), folders("own/train")),
        refused=r"both shards \(train.tar\) and folders",
    ),
    Situation(
        "capitals",
        folders("d/Train", "d/Test"),
        report=TRAIN | {"parts.0.n": 3, "parts.0.layout": "class folders Train/ and Test/"},
    ),
    Situation(
        "seg_train/seg_train",
        folders("d/seg_train/seg_train", "d/seg_test/seg_test"),
        report=TRAIN | TEST | {"parts.0.n": 3},
    ),
    Situation("training and testing", folders("d/training", "d/testing"), report=TRAIN | TEST),
    Situation("train and train1", folders("d/train", "d/train1"), refused="d/train and d/train1 are both called train"),
    Situation(
        "a class that is called train",
        lambda: make.write_classes(Path("d"), {"train": 2, "tree": 1}) or ["data", "d", *INFO],
        report={"parts.0.classes": ["train", "tree"], "parts.0.n": 3},
    ),
    Situation(
        "train, val and test",
        folders("d/train", "d/val", "d/test"),
        report={"parts.1.split": "val", "parts.2.split": "test"},
    ),
    Situation(
        "as an archive unpacks",
        folders("d/imagenette2/train", "d/imagenette2/val"),
        report={"parts.1.split": "test", "parts.1.n": 3},
    ),
    Situation(
        "classes below images/",
        folders("d/images"),
        report={"parts.0.classes": ["a", "b"], "parts.0.layout": "class folders in images/"},
    ),
    Situation(
        "Caltech 101",
        lambda: text("d/Annotations/x.txt", "") or folders("d/101_ObjectCategories")(),
        report={"parts.0.classes": ["a", "b"], "parts.0.layout": "class folders in 101_ObjectCategories/"},
    ),
    Situation(
        "val in an archive",
        lambda: archive(train=4, val=2)("--split", "test"),
        report={"parts.0.n": 2, "parts.0.split": "test"},
    ),
    Situation(
        "val and test in an archive", lambda: archive(train=4, val=2, test=3)("--split", "val"), report={"parts.0.n": 2}
    ),
    Situation("validation and val in an archive", archive(validation=4, val=2), refused="both called val"),
]


@table(ROWS)
def test_row(row, tmp_path):
    row.check(tmp_path)


def test_training_sees_the_training_shards_only(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    HEADS()
    status, out, err = run("train", "--data", "own", "--epochs", "1", "--arch", "mlp", "-o", "m.safetensors", "--json")
    assert status == 0, err
    assert "5 images of own" in err and '"split": "test", "n": 3' in out


def test_a_terminal_shows_the_layout(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    HEADS()
    from advtool.cli import output

    monkeypatch.setattr(output, "wants_json", lambda asked: False)
    _, out, _ = run("data", "own", "--info")
    assert "layout:  shards by the split in their heads" in out


@pytest.mark.parametrize("asked", ["train", "test"])
def test_what_is_written_for_val_is_found_again(tmp_path, monkeypatch, asked):
    monkeypatch.chdir(tmp_path)
    folders("d/train", "d/val")()
    for split in ("train", "test"):
        assert run("data", "d", "--split", split, "-o", "out/")[0] == 0
    status, out, err = run("data", "out", "--split", asked, *INFO)
    assert status == 0 and '"n": 3' in out, err
