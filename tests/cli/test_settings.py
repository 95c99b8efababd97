"""Options out of a file or a preset: what a dry run prints gives the same bytes, and what is typed comes after it."""

import contextlib
import io
import json
import shlex
import tomllib
from pathlib import Path

import pytest

from advtool.cli.main import app
from advtool.cli.settings import ABOUT, presets
from advtool.errors import AdvtoolError

SMALL = "--arch mlp --hidden 8 -n 200 --batch-size 64 --epochs 2"
LINES = [
    f"train {SMALL} --adv linf --eps 8/255 --steps 2",
    f"train {SMALL} --schedule step --lr-drops 1 --ema --val 0.2 --eval-data mine=digits",
    "attack --ckpt model.safetensors --eps 0.5 --steps 3 --targeted",
    "distill --ckpt model.safetensors --steps 2 -n 40 --tol 0.5",
    "relabel --random --exclude-true --seed 4",
    "data set.tar --size 16 --interpolation bilinear",
]


def run(line: str) -> tuple[int, str, str]:
    """(status, stdout, error or stderr) of the command in this very process."""
    out, err = io.StringIO(), io.StringIO()
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            app(shlex.split(line), prog_name="advtool", standalone_mode=False)
    except AdvtoolError as error:
        return error.exit_code, out.getvalue(), str(error)
    return 0, out.getvalue(), err.getvalue()


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("settings")
    with contextlib.chdir(place):
        assert run("train --epochs 0 --arch linear -n 50 -o model.safetensors")[0] == 0
        assert run("data digits -n 60 -o set.tar")[0] == 0
    return place


@pytest.fixture
def here(folder, monkeypatch) -> Path:
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize("line", LINES)
def test_what_a_dry_run_prints_gives_the_same_bytes(line, here, tmp_path):
    command = line.split()[0]
    data = "" if command == "data" else " --data set.tar"
    status, printed, error = run(f"{line}{data} --dry-run")
    assert status == 0, error
    (tmp_path / "c.json").write_text(printed)
    assert run(f"{line}{data} -o {tmp_path}/first")[0] == 0
    status, _, error = run(f"{command} --config {tmp_path}/c.json -o {tmp_path}/again")
    assert status == 0, error
    assert (tmp_path / "first").read_bytes() == (tmp_path / "again").read_bytes()


def test_reports_of_a_configuration_are_the_same(here, tmp_path):
    line = "eval --ckpt model.safetensors --data set.tar --adv l2 --eps 0.25,0.5 --attack fgsm,pgd --steps 2 --json"
    (tmp_path / "c.json").write_text(run(f"{line} --dry-run")[1])
    first, again = (json.loads(run(each)[1]) for each in (line, f"eval --config {tmp_path}/c.json --json"))
    for report in (first, again):
        del report["seconds"], report["images_per_second"]
        for attack in (attack for entry in report["adversarial"] for attack in entry["breakdown"]):
            del attack["seconds"]
    assert first == again


def test_toml_has_a_table_for_each_command_and_what_is_typed_wins(here, tmp_path):
    (tmp_path / "c.toml").write_text(
        """
        seed = 3
        [train]
        data = "set.tar"
        adv = "linf"
        eps = "8/255"
        random-start = false
        hidden = [4, 4]
        arch = "mlp"
        eval-data = ["a=set.tar", "b=set.tar"]
        [eval]
        eps = [0.25, 0.5]
        [theory.gaussian]
        sigma1 = 3
        sigma2 = 6
        """
    )
    _, printed, error = run(f"train --config {tmp_path}/c.toml --seed 5 --dry-run")
    options = json.loads(printed)["options"]
    assert (options["seed"], options["eps"], options["random_start"], options["hidden"]) == (5, 8 / 255, False, [4, 4])
    assert options["eval_data"] == ["a=set.tar", "b=set.tar"] and error == ""
    (tmp_path / "t.toml").write_text("[theory.gaussian]\nsigma1 = 3\nsigma2 = 6\n")
    direct = run("theory gaussian --sigma1 3 --sigma2 6 --json")[1]
    assert run(f"theory gaussian --config {tmp_path}/t.toml --json")[1] == direct


def test_what_is_left_without_a_use_by_what_is_typed_is_left_out_and_named(here, tmp_path):
    (tmp_path / "c.toml").write_text("adv = 'l2'\neps = 0.5\nsteps = 3\n")
    status, printed, said = run(f"train --config {tmp_path}/c.toml --adv none --data set.tar --dry-run")
    assert status == 0 and said.count("\n") == 1 and said.endswith("left out: --eps, --steps\n")
    assert json.loads(printed)["options"]["eps"] is None


@pytest.mark.parametrize(
    ("content", "status", "message"),
    [
        ("eps = 'x'", 2, "c: --eps x: not a number"),
        ("epochs = -1", 2, "c: --epochs -1: must be at least 0"),
        ("epochs = true", 2, "c: --epochs True: must be text or a number"),
        ("ema = 1", 2, "c: --ema 1: must be true or false"),
        ("ema = [true]", 2, "c: --ema"),
        ("arch = ''", 2, "c: --arch: must not be empty"),
        ("epoch = 3", 2, "c: unknown option 'epoch': did you mean epochs"),
        ("config = 'c'", 2, "c: unknown option 'config'"),
        ("when = 2020-01-01", 2, "c: unknown option 'when'"),
        ("lr = 2020-01-01", 2, "c: --lr 2020-01-01: must be text or a number"),
        ("[trian]\nlr = 1", 2, "c: unknown command 'trian': did you mean train"),
        ("beta = 3", 2, "--beta: is for --objective trades"),
        ("lr = ", 1, "c: cannot be read as TOML"),
        ("{", 1, "c: cannot be read as JSON"),
        ("[" * 9, 1, "c: cannot be read as TOML"),
        ('{"command": "eval", "options": {}}', 2, "--config: c: a configuration of eval, not of train"),
        ('{"options": {"lr": {"a": 1}}}', 2, "c: --lr"),
        ('{"lr": ' + "[" * 100_000, 1, "c: cannot be read as JSON"),
    ],
)
def test_what_is_no_configuration_is_one_line(here, content, status, message):
    Path("c").write_text(content)
    found, _, error = run(
        "train --config c --data set.tar --adv l2 --eps 0.5 --dry-run".replace(" --eps 0.5", "")
        if "eps" in content
        else "train --config c --data set.tar --adv l2 --eps 0.5 --dry-run"
    )
    assert found == status and message in error and "\n" not in error, error


@pytest.mark.parametrize("name", presets())
def test_every_preset_is_one_that_its_commands_take(here, name, tmp_path):
    """And what `advtool presets` prints of it is a file that they take."""
    content = presets()[name]
    assert content[ABOUT].endswith(".")
    printed = run(f"presets {name} --json")[1]
    assert json.loads(printed)["presets"][name] == content
    made = {"train": "--data set.tar", "eval": "--ckpt model.safetensors --data set.tar"}
    made |= dict.fromkeys(("attack", "distill"), made["eval"])
    for command in content.keys() - {ABOUT}:
        size = " --size 32" if name == "tsipras2018-restricted" else ""
        status, shown, error = run(f"{command} --preset {name} {made[command]}{size} --dry-run")
        assert status == 0, error
        options = json.loads(shown)["options"]
        assert {field.replace("-", "_") for field in content[command]} <= {*json.loads(shown)["given"]}
        assert options.get("eps") in (None, 0.5, 0.3, 4 / 255, 0.005, 0.05, [0.25, 0.5], [0.1, 0.2, 0.3])


def test_a_preset_comes_before_a_file_and_that_before_what_is_typed(here):
    Path("c.toml").write_text("eps = 0.25\nsteps = 9\n")
    line = "train --preset ilyas2019-cifar --config c.toml --arch linear --augment none --data set.tar --dry-run"
    for more, expected in (("", (0.25, 9, 0.1)), (" --steps 4", (0.25, 4, 0.1))):
        options = json.loads(run(line + more)[1])["options"]
        assert (options["eps"], options["steps"], options["step_size"]) == expected


def test_presets_that_there_are_not(here):
    assert run("train --preset ilyas")[:1] == (2,)
    assert "did you mean ilyas2019-cifar" in run("train --preset ilyas2019")[2]
    status, _, error = run("distill --preset collins2019-mnist --ckpt model.safetensors --data set.tar")
    assert status == 2 and error == "--preset collins2019-mnist: is for train or eval"


def test_a_preset_is_printed_as_a_file(advtool, tmp_path):
    shown = advtool("presets", "collins2019-mnist").stdout.decode()
    assert tomllib.loads(shown) == {key: value for key, value in presets()["collins2019-mnist"].items() if key != ABOUT}
