"""`advtool transfer`: its report, its table, its picture, and what it refuses."""

import json
from importlib.resources import files

import pytest

from advtool.commands.transfer import _show

OPTIONS = ["--adv", "linf", "--eps", "0.1", "-n", "80"]


@pytest.fixture
def other(advtool):
    assert advtool("train", "--arch", "mlp", "--epochs", "2", "--seed", "1", "-o", "other.safetensors").returncode == 0
    return "other.safetensors"


def test_a_matrix_is_what_attack_and_eval_give_one_by_one(advtool, checkpoint, other, tmp_path):
    done = advtool("transfer", "--ckpt", checkpoint, "--ckpt", other, *OPTIONS, "--json", "--ensemble", "losses",
                   "--plot", "matrix.png")  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    report = json.loads(done.stdout)
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads(files("advtool").joinpath("schemas/transfer.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(report, schema)
    assert (tmp_path / "matrix.png").read_bytes().startswith(b"\x89PNG")
    assert [len(report[name]) for name in ("sources", "targets", "cells")] == [3, 2, 6]
    assert [cell["same"] for cell in report["cells"]] == [True, False, False, True, True, True]
    for row, which in enumerate([["--ckpt", checkpoint], ["--ckpt", other], ["--ckpt", checkpoint, "--ckpt", other]]):
        more = ["--ensemble", "losses"] if row == 2 else []
        made = advtool("attack", "--attack", "mi-fgsm", *which, *more, "--split", "test", *OPTIONS)
        assert made.returncode == 0, made.stderr.decode()
        for column, target in enumerate([checkpoint, other]):
            shown = json.loads(advtool("eval", "--ckpt", target, stdin=made.stdout).stdout)
            assert report["cells"][2 * row + column]["correct"] == shown["clean"]["correct"]


def test_targets_are_columns_and_targeted_attacks_count_labels_that_images_carry(advtool, checkpoint, other, tmp_path):
    assert advtool("relabel", "--split", "test", "-n", "80", "--shift", "1", "-o", "shifted.tar").returncode == 0
    arguments = ["--ckpt", checkpoint, "--target", other, "--data", "shifted.tar", "--targeted", *OPTIONS]
    done = advtool("transfer", *arguments, "--json")
    report = json.loads(done.stdout)
    (cell,) = report["cells"]
    assert cell["target"].endswith("other.safetensors") and report["attack"]["targeted"] is True
    assert report["targets"][0]["clean"]["accuracy"] < 0.1 and cell["fooled"]["n"] > 70
    assert cell["correct"] >= cell["fooled"]["count"]


def test_a_terminal_shows_a_row_for_each_source(advtool, checkpoint, other, capsys):
    done = advtool("transfer", "--ckpt", checkpoint, "--ckpt", other, *OPTIONS, "--json")
    _show(json.loads(done.stdout))
    title, *table = capsys.readouterr().out.splitlines()
    assert title == "fooled by mi-fgsm, linf 0.1, on digits test, 80 images"
    assert [line.split()[1] for line in table if "%" in line] == ["clean", "digits", "other"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--ensemble", "logits"], "--ensemble logits: is for several checkpoints"),
        (["--attack", "pgd", "--momentum", "1"], "--momentum"),
        (["--plot", "a.txt"], "--plot"),
        (["--eps", "8"], "8/255"),
        (["--target", "missing.safetensors"], "missing.safetensors"),
    ],
)
def test_what_does_not_go_together_is_one_line(advtool, checkpoint, arguments, words):
    own = [*OPTIONS] if "--eps" not in arguments else ["--adv", "linf"]
    done = advtool("transfer", "--ckpt", checkpoint, *own, *arguments)
    assert done.returncode in (1, 2) and done.stderr.count(b"\n") == 1 and words in done.stderr.decode()
