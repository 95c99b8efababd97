"""The benchmark runs; what it measures is nobody's promise."""

import json
import subprocess
import sys

from tests_support import REPOSITORY, environment


def test_the_smallest_row(advtool, tmp_path):
    trained = advtool("train", "--epochs", 1, "-n", 300, "-q", "-o", "digits-robust.safetensors")
    assert trained.returncode == 0
    line = [sys.executable, "-m", "benchmarks", "--nets", str(tmp_path), "--preset", "smallest", "--rounds", "1"]
    done = subprocess.run(
        [*line, "-o", str(tmp_path / "found")], cwd=REPOSITORY, env=environment(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    (row,) = json.loads((tmp_path / "found.json").read_text())
    ours, theirs = row["times"]["advtool"], row["times"]["plain"]
    assert ours["cpu"] > 0 and abs(ours["stand"] - theirs["stand"]) <= 1
    assert row["missing"] in ({}, {"torchattacks": "is not installed"})
    table = (tmp_path / "found.md").read_text()
    assert "| pgd | digits-robust | 60 |" in table and (row["missing"] == {}) != ("not installed" in table)
