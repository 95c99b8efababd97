"""How far it has come: at a terminal bars that keep their width, in a log a line a minute."""

import gzip
import re
import sys
import time

import pexpect
import pytest
from tests_support import environment

from advtool import progress
from advtool.cli import bars, console
from advtool.data.arrays import load
from advtool.data.sources import resolve

WIDTH = 24


@pytest.fixture
def terminal(tmp_path):
    """Run the command at a terminal; returns the lines that it showed at any time, and its exit status."""

    def run(*arguments: str, columns: int = 80) -> tuple[list[str], int]:
        child = pexpect.spawn(
            sys.executable,
            ["-m", "advtool", *map(str, arguments)],
            cwd=str(tmp_path),
            env=environment(TERM="xterm") | {"COLUMNS": str(columns)},
            timeout=120,
            encoding="utf-8",
            dimensions=(40, columns),
        )
        shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", child.read()).replace("\r", "\n")
        child.close()
        return shown.splitlines(), child.exitstatus

    return run


def test_in_80_columns_the_bar_keeps_its_width_and_the_time_and_epochs_stay(terminal):
    lines, status = terminal("train", "--epochs", "3", "-n", "600", "--val", "0.2", "-o", "m.safetensors")
    assert status == 0, lines
    shown = [line for line in lines if line.startswith("epoch ")]
    assert shown and max(map(len, shown)) <= 80
    for line in shown:
        assert len(re.search("[━╸╺]+", line)[0]) == WIDTH and re.search(r"(\d:\d\d:\d\d|-:--:--)$", line.strip()), line
    assert [line for line in lines if re.match(r"advtool: epoch [123]/3: loss", line)]


def test_reading_is_seen_and_has_a_time_to_go(terminal, tmp_path):
    from PIL import Image

    folder = tmp_path / "photos" / "a"
    folder.mkdir(parents=True)
    for number in range(150):
        Image.new("RGB", (600, 600), (number, 9, 9)).save(folder / f"{number}.png")
    lines, status = terminal("data", "photos/", "--verify")
    shown = [line for line in lines if line.startswith("verifying images ")]
    assert status == 0 and any("images/s" in line and re.search(r"\d:\d\d:\d\d", line) for line in shown), lines


def test_an_error_in_a_stage_leaves_no_bar_behind(terminal, advtool, tmp_path):
    assert advtool("data", "digits", "-o", "whole.tar").returncode == 0
    (tmp_path / "cut.tar").write_bytes((tmp_path / "whole.tar").read_bytes()[:1_200_000])
    lines, status = terminal("data", "cut.tar", "-o", "again.tar")
    assert status == 1 and [line for line in lines if line.strip()][-1].startswith("advtool: error: cut.tar: ")


@pytest.mark.parametrize("packed", [False, True], ids=["tar", "gzip"])
def test_how_many_there_are_is_estimated_while_shards_are_read(advtool, tmp_path, packed):
    assert advtool("data", "digits", "-o", "digits.tar").returncode == 0
    path = tmp_path / "digits.tar"
    if packed:
        path = tmp_path / "digits.tar.gz"
        path.write_bytes(gzip.compress((tmp_path / "digits.tar").read_bytes()))
    told = []

    class Stage:
        def __init__(self, description, total):
            assert (description, total) == ("reading images", None)

        def __enter__(self):
            return lambda count, total=None: told.append((count, total))

        def __exit__(self, *_):
            return None

    progress.watch(Stage)
    try:
        assert len(load(resolve(str(path)))) == 1437
    finally:
        progress._watchers.clear()
    assert sum(count for count, _ in told) == 1437 // 16 * 16
    middle = [total for _, total in told[len(told) // 2 :]]
    assert all(total == pytest.approx(1437, rel=0.5 if packed else 0.1) for total in middle)
    assert told[-1][1] == pytest.approx(1437, rel=0.05)


def test_a_log_has_a_line_when_nothing_was_said_for_long(monkeypatch, capsys):
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(console, "_said", 0.0)
    with bars.bar("reading images", None) as advance:
        for _ in range(200):
            now[0] += 1
            advance(50, 40_000)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "advtool: reading images: 1,000 of 40,000 images (2%), 50 images/s, 0:13:00 to go"
    assert [line.split()[3] for line in lines] == ["1,000", "4,000", "7,000", "10,000"]
