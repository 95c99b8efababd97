"""The recipes are scripts of options that exist; what they collect is added up and shown as it was measured."""

import json
import os
import re
import subprocess
import sys

import pytest
import typer.main
from tests_support import REPOSITORY, environment

from advtool.cli.main import app

FOLDER = REPOSITORY / "recipes"
SCRIPTS = sorted(FOLDER.rglob("*.sh"))
RECIPES = [path for path in SCRIPTS if path.parent != FOLDER and path.stem != "common"]
OF_OTHERS = {"--arg", "--with", "--root", "--seconds", "--short"}

sys.path.insert(0, str(FOLDER))
import cells  # noqa: E402
import results  # noqa: E402

PUBLISHED = {path.stem: json.loads(path.read_text()) for path in (FOLDER / "published").glob("*.json")}


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_recipe_parses_and_names_real_options(path):
    subprocess.run(["bash", "-n", path], check=True)
    commands = typer.main.get_command(app).commands
    known = {option for command in commands.values() for p in command.params for option in (*p.opts, *p.secondary_opts)}
    theory = commands["theory"].commands.values()
    known |= {option for command in theory for p in command.params for option in (*p.opts, *p.secondary_opts)}
    code = "\n".join(line for line in path.read_text().splitlines() if not line.startswith("#"))
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", code)) <= known | OF_OTHERS
    assert set(re.findall(r"(?<!-v )advtool ([a-z]+)", code)) <= commands.keys()


def test_every_item_of_every_paper_has_one():
    assert {(path.parent.name, path.stem) for path in RECIPES} == {
        (paper, item) for paper, items in PUBLISHED.items() for item in items
    }
    assert len(RECIPES) == 36


def test_seeds_are_averaged_and_one_seed_keeps_the_interval_of_its_images():
    one = cells.aggregate("a", [{"obtained": 0.5, "ci95": [0.4, 0.6], "n": 10, "data": "d"}], 0.45)
    assert (one["obtained"], one["ci95"], one["seeds"], one["published"]) == (0.5, [0.4, 0.6], 1, 0.45)
    runs = [{"obtained": value, "ci95": [0, 1], "n": 10, "data": "d"} for value in (0.4, 0.5, 0.6)]
    three = cells.aggregate("a", runs, None)
    assert three["obtained"] == pytest.approx(0.5) and three["seeds"] == 3
    assert three["ci95"] == pytest.approx([0.5 - 4.303 * 0.1 / 3**0.5, 0.5 + 4.303 * 0.1 / 3**0.5])


@pytest.mark.parametrize(("obtained", "says"), [(0.53, "within"), (0.56, "beyond"), (0.44, "beyond")])
def test_within_is_by_tolerance_or_by_interval(obtained, says):
    row = {"published": 0.5, "obtained": obtained, "ci95": [obtained - 0.01, obtained + 0.01]}
    assert says in cells.shown(row, 0.05)
    assert "within" in cells.shown({**row, "ci95": [0.4, 0.6]}, 0.05)


def test_numbers_of_any_report_and_of_trials():
    report = {"a": [{"accuracy": 0.5, "ci95": [0.4, 0.6], "n": 7}, {"risk": {"mean": 0.2, "sd": 0.1, "n": 4}}]}
    assert cells.value(report, "a.0.accuracy") == (0.5, [0.4, 0.6], 7)
    mean, (low, high), n = cells.value(report, "a.1.risk")
    assert (mean, n) == (0.2, 4) and high - low == pytest.approx(2 * 3.182 * 0.1 / 2)


def test_a_recipe_goes_on_from_what_it_made_and_writes_its_cells(tmp_path):
    recipe = FOLDER / "tsipras2018" / "table4.sh"
    env = environment(SCALE="smoke", OUT=str(tmp_path / "made"), PYTHON=sys.executable, SEEDS="0,1")
    env["PATH"] = f"{os.path.dirname(sys.executable)}:{env.get('PATH', os.environ['PATH'])}"
    first = subprocess.run(["bash", recipe], capture_output=True, text=True, env=env, cwd=REPOSITORY)
    assert first.returncode == 0, first.stderr
    assert "standard, test, standard accuracy" in first.stdout and "training binary-robust" in first.stderr
    rows = [json.loads(line) for line in (tmp_path / "made/tsipras2018-table4-smoke.jsonl").read_text().splitlines()]
    assert len(rows) == 10 and all(row["seeds"] == 2 and row["paper"] == "tsipras2018" for row in rows)
    again = subprocess.run(["bash", recipe], capture_output=True, text=True, env=env, cwd=REPOSITORY)
    assert again.returncode == 0 and "training" not in again.stderr
    assert again.stdout == first.stdout


def test_the_page_of_results_is_made_from_the_files_alone():
    assert (REPOSITORY / "docs" / "results.md").read_text() == results.page(FOLDER / "results")
