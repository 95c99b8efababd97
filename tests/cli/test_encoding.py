"""Streams that are not Unicode: plain tables and plain words, never a traceback."""

import io
import json
import sys
from unittest import mock

import in_process
import pytest

from advtool.cli import encoding, main

HELP = [[], ["theory"], *(command.split() for command in in_process.COMMANDS)]
TABLES = [
    ["data", "--list"],
    ["data", "digits", "--info"],
    *(["theory", model] for model in ("gaussian", "bernoulli", "tradeoff", "mle", "mixture")),
    *(["theory", model, "--errata"] for model in ("gaussian", "bernoulli", "tradeoff", "mle", "mixture")),
    ["theory", "mixture", "--case", "theorem7"],
]


class Terminal(io.TextIOWrapper):
    """A terminal of an encoding, as strict as Python opens it."""

    def __init__(self, name: str):
        super().__init__(io.BytesIO(), encoding=name, write_through=True)

    def isatty(self) -> bool:
        return True

    def text(self) -> str:
        return self.buffer.getvalue().decode(self.encoding)


def run(name: str, *arguments: str) -> tuple[int, str, str]:
    """(exit status, stdout, stderr) of a command at such a terminal."""
    out, err = Terminal(name), Terminal(name)
    words = mock.patch("sys.argv", ["advtool", *arguments])
    group = mock.patch.object(main, "app", in_process._group())
    size = mock.patch.dict("os.environ", {"TERM": "dumb"})
    with words, group, size, mock.patch("sys.stdout", out), mock.patch("sys.stderr", err):
        encoding.install()
        return main._run(), out.text(), err.text()


def boxes(shown: str) -> list[list[str]]:
    """The lines of each box of ASCII."""
    found, current = [], []
    for line in map(str.rstrip, shown.splitlines()):
        if line.startswith(("+-", "|")):
            current.append(line)
        if current and (not line.startswith(("+-", "|")) or (line.startswith("+-") and len(current) > 1)):
            found.append(current)
            current = []
    return found


@pytest.mark.parametrize("name", ["ascii", "latin-1", "cp1252", "cp437"])
def test_help_and_tables(name):
    for arguments in [*([*words, "--help"] for words in HELP), *TABLES]:
        status, out, err = run(name, *arguments)
        assert status == 0 and "error" not in err, (arguments, err)
        assert "?" not in out, (arguments, out)
        assert boxes(out) and not set("│─┌╭┏━") & set(out), (arguments, out)
        for box in boxes(out):
            assert len({*map(len, box)}) == 1, (arguments, box)


def test_unicode_is_left_alone():
    assert "E[,E…]" in run("utf-8", "eval", "--help")[1]
    assert "E[,E...]" in run("ascii", "eval", "--help")[1]
    assert "E[,E…]" in run("cp1252", "eval", "--help")[1]
    assert "E[,E…]" in run("utf-8", "eval", "--help")[1]


@pytest.mark.parametrize("name", ["ascii", "latin-1", "cp1252"])
def test_errors_and_json(name):
    status, out, err = run(name, "data", "nowhere/→ß日.tar")
    assert (status, out) == (2, "")
    word = {"ascii": "->???", "latin-1": "->ß?", "cp1252": "->ß?"}[name]
    assert err.startswith("advtool: error: ") and err.count("\n") == 1 and (word in err or name == "ascii")
    _, out, _ = run(name, "theory", "gaussian", "--json")
    assert json.loads(out)["model"] == "gaussian" and out.isascii()


def test_names_that_are_no_text_are_shown():
    for name in ("ascii", "utf-8"):
        assert r"nowhere/\xff.tar" in run(name, "data", "nowhere/\udcff.tar")[2]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1×8×8, 5–7 …", "1x8x8, 5-7 ..."),
        ("ε ≤ 0.5 → −λΔ√2", "eps <= 0.5 -> -lambdaDelta" + "sqrt 2"),
        ("10¹⁸ σ² e⁻³", "10^18 sigma^2 e^-3"),
        ("Zoë ŵ₁ ½", "Zo? w^1 1/2"),
        ("日", "?"),
    ],
)
def test_plain_words(text, expected):
    assert encoding.plain(text) == expected


def test_a_closed_stream_is_no_obstacle(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    encoding.install()
