"""The package as users get it."""

import json
import os
import subprocess
import sys
import zipfile

import pytest
import typer.main
from tests_support import REPOSITORY

from advtool import __main__
from advtool.cli.main import app


def test_the_wheel_runs_the_main_job_outside_the_checkout(tmp_path):
    pip = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check"]
    build = [*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", tmp_path / "dist", REPOSITORY]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = (tmp_path / "dist").iterdir()
    with zipfile.ZipFile(wheel) as archive:
        assert "advtool/py.typed" in archive.namelist()
    subprocess.run(
        [*pip, "install", "--no-deps", "--target", tmp_path / "site", wheel], check=True, capture_output=True
    )
    line = (
        "set -o pipefail; python=$0; $python -m advtool train --adv l2 --eps 0.5 --epochs 1"
        " | $python -m advtool eval --adv l2 --eps 0.5 --steps 2"
    )
    env = {**os.environ, "PYTHONPATH": str(tmp_path / "site"), "PYTHONSAFEPATH": "1"}
    process = subprocess.run(
        ["bash", "-c", line, sys.executable], stdin=subprocess.DEVNULL, capture_output=True, cwd=tmp_path, env=env
    )
    assert process.returncode == 0, process.stderr.decode()
    assert json.loads(process.stdout)["clean"]["n"] == 360
    where = subprocess.run(
        [sys.executable, "-c", "import advtool; print(advtool.__file__)"], capture_output=True, cwd=tmp_path, env=env
    )
    assert str(tmp_path / "site").encode() in where.stdout


def test_every_command_and_option_is_explained():
    group = typer.main.get_command(app)
    readme = (REPOSITORY / "README.md").read_text()
    theory = group.commands["theory"]
    assert theory.help
    commands = {**group.commands, **theory.commands}
    for name, command in commands.items():
        assert f"`{name}`" in readme
        assert command.help and command.help.splitlines()[0].endswith(".")
        for parameter in command.params:
            assert parameter.help and parameter.help.endswith("."), f"{name} {parameter.name}"


@pytest.mark.parametrize(
    ("given", "expected"), [({}, "PASSIVE"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE"), ({"GOMP_SPINCOUNT": "9"}, None)]
)
def test_threads_of_the_command_sleep_while_they_wait_unless_told_otherwise(monkeypatch, given, expected):
    for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    seen = []
    monkeypatch.setattr("advtool.cli.main.main", lambda: seen.append(os.environ.get("OMP_WAIT_POLICY")))
    monkeypatch.setattr("signal.signal", lambda *_: None)
    __main__.main()
    assert seen == [expected]
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
