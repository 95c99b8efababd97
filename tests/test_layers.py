"""The architecture of CONTRIBUTING.md holds: imports go down, files are short, the core does not speak terminal."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests_support import REPOSITORY, environment

PACKAGE = REPOSITORY / "advtool"
FILES = sorted(PACKAGE.rglob("*.py"))
ERRORS = {"AdvtoolError", "UsageError", "unknown"}
OPTION = re.compile(r"(?:^|\s)--[a-z][a-z-]+(?![^`]*`)")  # a whole command line may stand in backticks


def layers() -> list[list[str]]:
    """Rooms of each layer, the highest first, as CONTRIBUTING.md lists them."""
    section = (REPOSITORY / "CONTRIBUTING.md").read_text().partition("## Layers")[2].partition("\n## ")[0]
    lines = re.findall(r"^\d+\. ((?:`[\w.]+`(?:, )?)+)", section, re.M)
    return [re.findall(r"`([\w.]+)`", line) for line in lines]


LAYERS = layers()


def module(path: Path) -> str:
    """Name below ``advtool``; a package is its directory."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__").removesuffix("__init__")


def layer(name: str) -> int | None:
    """Number of the layer of a module, by the longest room that holds it; None for ``advtool`` itself."""
    homes = [
        (len(room), number)
        for number, rooms in enumerate(LAYERS)
        for room in rooms
        if name == room or name.startswith(f"{room}.")
    ]
    return max(homes)[1] if homes else None


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line and name, below ``advtool``, of everything of the package that a file imports, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "advtool":
            inner = node.module.removeprefix("advtool").removeprefix(".")
            for alias in node.names:
                whole = f"{inner}.{alias.name}".removeprefix(".")
                is_module = (PACKAGE / Path(*whole.split("."))).with_suffix(".py").exists()
                yield node.lineno, whole if is_module or (PACKAGE / Path(*whole.split("."))).is_dir() else inner
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith("advtool."):
                    yield node.lineno, alias.name.removeprefix("advtool.")


def test_every_file_has_a_layer():
    assert len(LAYERS) > 5
    assert not [name for path in FILES if (name := module(path)) and layer(name) is None]


def test_imports_go_down():
    up = []
    for path in FILES:
        here = module(path)
        if not here:
            continue
        for line, name in imports(path):
            if name and layer(name) < layer(here):
                up.append(f"{path.relative_to(REPOSITORY)}:{line}: {here} imports {name}")
    assert not up, "\n".join(up)


def test_theory_stands_alone():
    below = {room for room in LAYERS[-1]}
    for path in (PACKAGE / "theory").rglob("*.py"):
        for line, name in imports(path):
            assert name.split(".")[0] in below | {"theory"}, f"{path}:{line}: {name}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_file_is_short(path):
    assert len(path.read_text().splitlines()) <= 300


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["train", "--help"],
        ["theory", "gaussian", "--json"],
        ["theory", "mixture", "--json"],
        ["data", "digits", "-n", "3", "-o", "/dev/null"],
        ["relabel", "--data", "digits", "--random", "-n", "3", "-o", "/dev/null"],
    ],
)
def test_what_needs_no_torch_imports_none(arguments):
    script = "\n".join(
        (
            "import atexit, sys",
            "atexit.register(lambda: print('torch' in sys.modules, file=sys.stderr))",
            "from advtool.cli.main import main",
            f"sys.argv = ['advtool', *{arguments!r}]",
            "main()",
        )
    )
    process = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment())
    assert process.returncode == 0, process.stderr
    assert process.stderr.splitlines()[-1] == "False"


def test_the_core_does_not_speak_terminal():
    said = []
    for path in FILES:
        if module(path).split(".")[0] in ("cli", "commands"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in ERRORS:
                for part in ast.walk(node):
                    if isinstance(part, ast.Constant) and isinstance(part.value, str) and OPTION.search(part.value):
                        said.append(f"{path.relative_to(REPOSITORY)}:{part.lineno}: {part.value}")
    assert not said, "\n".join(said)
