"""What people see, and what terminals must never get."""

import re
import sys

import pexpect
import pytest
from tests_support import environment


@pytest.fixture
def terminal(tmp_path):
    """Run the command at a pseudo-terminal; returns (everything shown, exit status)."""

    def run(*arguments: str, columns: int = 120, **variables: str) -> tuple[str, int]:
        child = pexpect.spawn(
            sys.executable,
            ["-m", "advtool", *map(str, arguments)],
            cwd=str(tmp_path),
            env=environment(TERM="xterm", **variables),
            timeout=120,
            encoding="utf-8",
            codec_errors="replace",
            dimensions=(40, columns),
        )
        shown = child.read()
        child.close()
        return shown, child.exitstatus

    return run


def test_training_at_a_terminal_shows_a_bar_and_writes_a_fresh_file(terminal, tmp_path):
    for expected in ("digits-mlp-standard.safetensors", "digits-mlp-standard-2.safetensors"):
        shown, status = terminal("train", "--epochs", "2", "-n", "500", "--arch", "mlp")
        assert status == 0, shown
        assert f"wrote {expected}" in shown
        assert "epoch 2/2" in shown and "images/s" in shown and "━" in shown
        assert "95% interval" in shown
        assert (tmp_path / expected).stat().st_size > 1000


def test_reports_are_tables_at_a_terminal(terminal, checkpoint):
    shown, status = terminal("eval", "--ckpt", checkpoint, "--adv", "l2", "--eps", "0.5", "--steps", "3")
    assert status == 0
    assert "pgd-3" in shown and "%" in shown and '"schema"' not in shown
    shown, status = terminal("eval", "--ckpt", checkpoint, "--json")
    assert '"schema": 1' in shown


def test_an_ensemble_has_a_line_for_each_attack_with_accuracy_and_time_to_go(terminal, checkpoint):
    arguments = ("--adv", "l2", "--eps", "0.5", "--attack", "autoattack", "--steps", "20", "--no-checks")
    shown, status = terminal("eval", "--ckpt", checkpoint, *arguments, columns=80, COLUMNS="80")
    assert status == 0 and "autoattack (standard)" in shown and "apgd-ce-20" in shown
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown).replace("\r", "\n").splitlines()
    for name in ("apgd-ce", "apgd-t", "fab-t", "square"):
        lines = [line for line in plain if line.startswith(f"l2 0.5 {name} ")]
        assert any(re.search(r"\d+% \d+\.\d+% stand +(\d+|-):(\d\d|--):", line) for line in lines), lines[:3]
    bars = [line for line in plain if "stand" in line or line.startswith("evaluating")]
    assert max(map(len, bars)) <= 80


def test_explaining_at_a_terminal_names_the_file_and_shows_the_numbers(terminal, tmp_path, checkpoint):
    shown, status = terminal("explain", "--ckpt", checkpoint, "-n", "3")
    assert status == 0 and "wrote digits-test-gradient.png" in shown and "Hoyer" in shown and "PNG\r" not in shown
    assert (tmp_path / "digits-test-gradient.png").read_bytes().startswith(b"\x89PNG")
    for option in ("-o", "--shards"):
        shown, status = terminal("explain", "--ckpt", checkpoint, option, "-")
        assert status == 2 and "terminal" in shown and len(shown.splitlines()) == 1


def test_data_at_a_terminal(terminal, tmp_path):
    shown, status = terminal("data", "--info")
    assert status == 0 and "1,437" in shown and "360" in shown
    shown, status = terminal("data", "--list")
    assert "cifar10" in shown
    shown, status = terminal("data", "digits", "--split", "test")
    assert status == 0 and (tmp_path / "digits-test.tar").exists()


def test_a_terminal_that_knows_ascii_only(terminal):
    plain = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii"}
    shown, status = terminal("train", "--epochs", "1", "-n", "129", "--arch", "mlp", "-o", "möb.safetensors", **plain)
    assert status == 0 and shown.isascii() and "+---" in shown and "wrote m?b.safe" in shown
    shown, status = terminal("data", "digits", "--info", **plain)
    assert status == 0 and shown.isascii() and "1x8x8" in shown


@pytest.mark.parametrize("command", ["train", "data"])
def test_binary_is_never_written_to_a_terminal(terminal, tmp_path, command):
    shown, status = terminal(command, "-o", "-")
    assert status == 2
    assert "terminal" in shown and shown.startswith("advtool: error: ") and len(shown.splitlines()) == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", ["train", "data", "eval"])
def test_data_is_not_awaited_from_a_terminal(terminal, checkpoint, command):
    shown, status = terminal(command, "--data", "-", *(["--ckpt", checkpoint] if command == "eval" else []))
    assert status == 2
    assert "stdin is a terminal" in shown


def test_bars_are_for_terminals_only(advtool):
    process = advtool("train", "--epochs", "1", "-n", "128")
    assert b"\x1b" not in process.stderr and b"\r" not in process.stderr
