"""The recipes are scripts of options that exist."""

import re
import subprocess

import pytest
import typer.main
from tests_support import REPOSITORY

from advtool.cli.main import app

RECIPES = sorted((REPOSITORY / "recipes").glob("*.sh"))
OF_JQ = {"--arg"}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_parses_and_names_real_options(path):
    subprocess.run(["bash", "-n", path], check=True)
    commands = typer.main.get_command(app).commands
    known = {option for command in commands.values() for p in command.params for option in (*p.opts, *p.secondary_opts)}
    code = "\n".join(line for line in path.read_text().splitlines() if not line.startswith("#"))
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", code))
    assert named and named <= known | OF_JQ
    assert set(re.findall(r"advtool ([a-z]+)", code)) <= commands.keys()
