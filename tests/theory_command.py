"""How tests run `advtool theory` in this process."""

import contextlib
import io
import json
from unittest import mock

from typer.testing import CliRunner

from advtool.cli import main
from advtool.cli.main import app


def theory(*arguments) -> dict:
    """The report of a command that succeeds."""
    (report,) = theory_lines(*arguments)
    return report


def theory_lines(*arguments) -> list[dict]:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    lines = [json.loads(line, parse_constant=_refuse) for line in result.stdout.splitlines()]
    assert all(line["schema"] == 1 for line in lines)
    return lines


def run(*arguments):
    """The finished command; errors that users see are raised."""
    result = CliRunner().invoke(app, ["theory", *map(str, arguments)], standalone_mode=False)
    if result.exception:
        raise result.exception
    return result


def refused(*arguments) -> str:
    """The one line with which a command is refused."""
    stderr, stdout = io.StringIO(), io.StringIO()
    words = ["advtool", "theory", *map(str, arguments)]
    with mock.patch("sys.argv", words), contextlib.redirect_stderr(stderr), contextlib.redirect_stdout(stdout):
        status = main._run()
    (line,) = stderr.getvalue().splitlines()
    assert status == 2 and not stdout.getvalue(), line
    return line.removeprefix("advtool: error: ")


def _refuse(constant: str):
    raise AssertionError(f"{constant} in a report")
