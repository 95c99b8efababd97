"""Class names are the key, never the position: every command, with classes that differ in order, number and name."""

import json
from pathlib import Path

import numpy as np
import pytest
from named_classes import spot, write_folders, write_images, write_model
from situations import Situation, run, table

import advtool
from advtool.io.streams import open_path
from advtool.io.tar import read_members

WORDS = ("ant", "bee", "cat", "dog", "elk", "fox", "gnu", "hen", "ibis", "jay")
PLACE = {word: number for number, word in enumerate(WORDS)}
EVAL = ["eval", "--no-checks", "--json"]


def model(*classes: str) -> Path:
    return write_model(Path("m.safetensors"), classes, [PLACE.get(name.lower(), n) for n, name in enumerate(classes)])


def shard(*classes: str, path: str = "x.tar") -> Path:
    """An image of each class, and one more of the first class that shows the second."""
    right = [(label, PLACE.get(name.lower(), label)) for label, name in enumerate(classes)]
    return write_images(Path(path), classes, [*right, (0, right[1][1])])


def on_shard(known, classes):
    return lambda: [*EVAL, "--ckpt", model(*known), "--data", shard(*classes)]


def trained(train: dict[str, int], test: dict[str, int]):
    def make():
        write_folders(Path("d/train"), train), write_folders(Path("d/test"), test)
        options = ["--arch", "linear", "--epochs", "60", "--lr", "0.5", "--augment", "none", "-o", "m.safetensors"]
        return ["train", "-q", "--json", "--data", "d", *options]

    return make


def placed(*names: str) -> dict[str, int]:
    return {name: PLACE[name] for name in names}


def two_parts(train: int, test: int):
    """An archive without names whose two parts have other numbers of classes."""

    def make():
        arrays = {}
        for part, count in (("train", train), ("test", test)):
            arrays |= {
                f"x_{part}": np.concatenate([spot(n) for n in range(count)] * 4),
                f"y_{part}": [*range(count)] * 4,
            }
        np.savez("f.npz", **arrays)
        return ["train", "--data", "f.npz", "--arch", "linear", "--epochs", "1", "--json", "-o", "m.safetensors"]

    return make


def with_base(base: tuple[str, ...]):
    def make():
        other = write_model(Path("base.safetensors"), base, [PLACE[name] for name in base])
        attack = ["--adv", "l2", "--eps", "0.01", "--steps", "1", "--base", other]
        return [*EVAL, "--ckpt", model("cat", "ant", "bee"), "--data", shard("ant", "bee", "cat"), *attack]

    return make


def eval_data(*classes: str):
    def make():
        write_folders(Path("d"), placed("ant", "bee"))
        watched = write_images(Path("w.tar"), classes, [(n, PLACE[name]) for n, name in enumerate(classes)])
        options = ["--arch", "linear", "--epochs", "60", "--lr", "0.5", "--augment", "none", "-o", "m.safetensors"]
        return ["train", "-q", "--json", "--data", "d", "--eval-data", f"w={watched}", *options]

    return make


MAPPED, POSITION = "classes by name, labels mapped", "labels go by position"
ROWS = [
    Situation(
        "a permutation",
        on_shard(("cat", "ant", "bee"), ("ant", "bee", "cat")),
        {"clean.correct": 3, "data.matched.by": "name", "data.matched.labels": [1, 2, 0]},
        says=MAPPED,
    ),
    Situation("a subset", on_shard(("ant", "bee", "cat"), ("cat", "bee")), {"clean.correct": 2}, says=MAPPED),
    Situation(
        "the first of the model's classes",
        on_shard(("ant", "bee", "cat"), ("ant", "bee")),
        {"clean.correct": 2, "data.classes": 2},
        says="2 of the model's 3 classes by name, same labels",
    ),
    Situation("the same", on_shard(("ant", "bee"), ("ant", "bee")), {"clean.correct": 2, "data.matched": None}),
    Situation("other case", on_shard(("bee", "ant"), ("Ant", "Bee")), {"clean.correct": 2}, says="in any case"),
    Situation("digits, some", on_shard(("0", "1", "2"), ("1", "2")), {"data.matched.labels": [1, 2]}, says=MAPPED),
    Situation(
        "digits against words",
        on_shard(("ant", "bee"), ("0", "1")),
        {"clean.correct": 2, "data.matched.by": "position"},
        says=f"warning: .*{POSITION}",
    ),
    Situation("words against digits", on_shard(("0", "1"), ("ant", "bee")), {"clean.correct": 2}, says=POSITION),
    Situation("other words", on_shard(("ant", "bee"), ("hund", "katze")), {"clean.correct": 2}, says=POSITION),
    Situation(
        "a class too many",
        on_shard(("ant", "bee"), ("ant", "bee", "cat")),
        refused="x.tar does not fit m.safetensors: class 'cat' of the images, which the model does not know",
    ),
    Situation("one renamed", on_shard(("ant", "bee"), ("ant", "wasp")), refused="class 'wasp' of the images"),
    Situation("other words, fewer", on_shard(("ant", "bee", "cat"), ("w", "x")), refused="2 classes .* knows 3"),
    Situation("more digits than classes", on_shard(("ant", "bee"), ("0", "1", "2")), refused="3 classes.*knows 2"),
    Situation(
        "a test split that lacks a class",
        trained(placed("ant", "bee", "cat"), placed("bee", "cat")),
        {"clean.accuracy": 1.0, "clean.n": 8, "data.matched.labels": [1, 2]},
    ),
    Situation(
        "a test split with another class",
        trained(placed("ant", "bee", "cat"), placed("bee", "cat", "dog")),
        refused="the test split: class 'dog' of the images, which the model does not know",
    ),
    Situation("an archive whose test part lacks a class", two_parts(3, 2), {"clean.n": 8}, says="."),
    Situation(
        "an archive whose train part lacks a class",
        two_parts(2, 3),
        refused="the test split: 3 classes, the model knows 2",
    ),
    Situation("--eval-data in another order", eval_data("bee", "ant"), {"training.accuracy.w": 1.0}),
    Situation("--eval-data with another class", eval_data("bee", "cat"), refused="eval_data w: class 'cat'"),
    Situation(
        "--base in another order",
        with_base(("bee", "cat", "ant")),
        {"adversarial.0.risk.base": "base.safetensors", "adversarial.0.risk.adversarial": 0.0},
        says=MAPPED,
    ),
    Situation("--base of other classes", with_base(("ant", "bee", "dog")), refused="base.* class 'cat'"),
]


@table(ROWS)
def test_row(row, tmp_path):
    row.check(tmp_path)


def draw(kind: str, rng: np.random.Generator) -> tuple[list[str], list[str]]:
    """Classes of a model and of images."""
    known = [str(word) for word in rng.permutation(WORDS)[: rng.integers(3, 8)]]
    some = [str(word) for word in rng.permutation(known)]
    fewer = some[: rng.integers(2, len(some))]
    free = [word for word in WORDS if word not in known]
    match kind:
        case "permutation":
            return known, some
        case "subset":
            return known, fewer
        case "superset":
            return known, [str(word) for word in rng.permutation([*some, free[0]])]
        case "disjoint":
            return known, [f"x{word}" for word in some]
        case "disjoint and fewer":
            return known, [f"x{word}" for word in fewer]
        case "renamed":
            return known, [*fewer[:-1], "new"]
        case "digits":
            return known, [str(n) for n in range(len(fewer))]
        case "case":
            return known, [word.upper() if rng.random() < 0.6 else word for word in some]
    raise ValueError(kind)


KINDS = ["permutation", "subset", "superset", "disjoint", "disjoint and fewer", "renamed", "digits", "case"]


@pytest.mark.parametrize("seed", range(24))
def test_drawn_pairs_have_the_accuracy_that_they_were_built_with_or_are_refused(seed, tmp_path):
    rng, kind = np.random.default_rng(seed), KINDS[seed % len(KINDS)]
    known, classes = draw(kind, rng)
    spots = {name: int(place) for name, place in zip(known, rng.permutation(36), strict=False)}
    checkpoint = write_model(tmp_path / "m.safetensors", known, list(spots.values()))
    by_position = not {name.lower() for name in classes} & set(known)
    truth = [known[n % len(known)] if by_position else classes[n].lower() for n in range(len(classes))]
    shown, right = [], 0
    for _ in range(40):
        label = int(rng.integers(len(classes)))
        other = str(rng.choice(known)) if rng.random() < 0.3 else truth[label]
        shown.append((label, spots.get(other, 35)))
        right += other == truth[label]
    images = write_images(tmp_path / "x.tar", classes, shown)
    status, out, err = run(*EVAL, "--ckpt", checkpoint, "--data", images)
    if kind in ("superset", "renamed", "disjoint and fewer"):
        unknown = {"renamed": "'new'", "disjoint and fewer": f"{len(classes)} classes"}.get(kind, "class '")
        assert status == 1 and unknown in err, err
        return
    report = json.loads(out)
    assert report["clean"]["correct"] == right, (kind, known, classes)
    expected = "position" if by_position else "name in any case" if kind == "case" else "name"
    assert (report["data"]["matched"] or {"by": "name"})["by"] in (expected, "name"), err
    assert (POSITION in err) == by_position


def labels(path: Path) -> list[int]:
    with open_path(path) as stream:
        return [int(member.data) for member in read_members(stream) if member.name.endswith(".cls")]


def test_attack_distill_and_predict_keep_the_names_with_the_labels(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    checkpoint, images = model("cat", "dog", "ant", "bee"), shard("ant", "bee", "cat")
    data = ["--ckpt", checkpoint, "--data", images, "-q"]
    assert run("attack", "--eps", "0.01", "--steps", "1", *data, "-o", "a.tar")[0] == 0
    assert run("distill", "--steps", "1", *data, "-o", "d.tar")[0] == 0
    assert run("relabel", "--predict", checkpoint, "--data", images, "-q", "-o", "p.tar")[0] == 0
    for made in ("a.tar", "d.tar", "p.tar"):
        (head,) = [json.loads(m.data) for m in read_members(open_path(made)) if m.name == "__advtool__/head"]
        named = [head["classes"][label] for label in labels(Path(made))]
        assert named[:3] == ["ant", "bee", "cat"], made
    found = [json.loads(m.data) for m in read_members(open_path("a.tar")) if m.name.endswith(".json")]
    assert [entry["success"] for entry in found] == [False, False, False, True]
    for command in (["attack", "--eps", "1"], ["distill"], ["explain", "-o", "e.png"]):
        status, _, err = run(*command, "--ckpt", checkpoint, "--data", shard("ant", "wasp", path="w.tar"), "-q")
        assert status == 1 and "class 'wasp' of the images" in err, (command, err)


def test_init_takes_the_names_along_or_makes_a_new_last_layer(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    checkpoint = model("cat", "ant", "bee")
    same = ["--epochs", "0", "-o", "n.safetensors", "-f", "--init", checkpoint, "--val", "0"]
    status, _, err = run("train", "--data", write_folders(Path("d"), placed("ant", "bee", "cat")), *same)
    assert status == 0 and MAPPED in err
    net = advtool.load("n.safetensors")
    assert net.spec.classes == ("ant", "bee", "cat")
    status, out, _ = run(*EVAL, "--ckpt", "n.safetensors", "--data", shard("bee", "cat"))
    assert json.loads(out)["clean"]["correct"] == 2
    status, _, err = run("train", "--data", write_folders(Path("e"), placed("ant", "dog")), *same)
    assert status == 0 and "new last layer for ant, dog; the checkpoint's is for cat, ant, bee" in err
    assert advtool.load("n.safetensors").spec.classes == ("ant", "dog")


def test_evaluate_and_explain_from_python_match_by_name(tmp_path, monkeypatch):
    from advtool.data.arrays import load
    from advtool.data.sources import resolve
    from advtool.evaluation.run import evaluate
    from advtool.explain.run import explain

    monkeypatch.chdir(tmp_path)
    net, images = advtool.load(model("cat", "ant", "bee")), load(resolve(str(shard("ant", "bee", "cat"))))
    with pytest.warns(UserWarning, match=MAPPED):
        report = evaluate(net, images, checks=False)
    assert report["clean"]["correct"] == 3 and net.spec.classes == ("cat", "ant", "bee")
    with pytest.warns(UserWarning, match=MAPPED):
        found = explain(net, images)
    assert found.picture("png").startswith(b"\x89PNG")
