"""The command line in this very process: what it shows, and how it reads its options without running anything."""

import contextlib
import io
from functools import cache
from typing import Any
from unittest import mock

import typer.main

from advtool.cli import main
from advtool.cli.attack import Attack
from advtool.cli.certify import Certify
from advtool.cli.data import Data
from advtool.cli.distill import Distill
from advtool.cli.evaluate import Evaluate
from advtool.cli.explain import Explain
from advtool.cli.relabel import Relabel
from advtool.cli.theory import MODELS
from advtool.cli.train import Train
from advtool.cli.transfer import Transfer
from advtool.options import Options

COMMANDS: dict[str, type[Options]] = {
    kind.command: kind
    for kind in (Train, Attack, Distill, Relabel, Evaluate, Certify, Explain, Data, Transfer, *MODELS.values())
}


def run(*arguments: object) -> tuple[int, str, str]:
    """(exit status, stdout, stderr) of ``advtool ARGUMENTS``; what a user would see as a traceback is raised."""
    out, err = io.StringIO(), io.StringIO()
    words = ["advtool", *map(str, arguments)]
    patched = mock.patch("sys.argv", words), mock.patch.object(main, "app", _group())
    with patched[0], patched[1], contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main._run()
    return status, out.getvalue(), err.getvalue()


def refusal(*arguments: object) -> str:
    """The one line with which a command line is refused, without ``advtool: error:``."""
    status, out, err = run(*arguments)
    (line,) = err.splitlines()
    assert (status, out) == (2, "") and line.startswith("advtool: error: "), f"{status} {out} {err}"
    return line.removeprefix("advtool: error: ")


def read(command: str, *words: str) -> dict[str, Any]:
    """The values that a command line stands for, nothing of which is done; raises as the command would."""
    found = _group()
    for part in command.split():
        found = found.commands[part]
    return found.make_context(command, [*words]).params


@cache
def _group():
    """The command line, built once."""
    return typer.main.get_command(main.app)
