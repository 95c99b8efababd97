"""How tests run `advtool theory` in this process."""

import json

from typer.testing import CliRunner

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


def _refuse(constant: str):
    raise AssertionError(f"{constant} in a report")
