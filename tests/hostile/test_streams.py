"""Standard streams that are full, closed or left: one line, and good work stays good."""

import errno
import sys

import in_process
import pytest

from advtool.cli import failures

REPORTS = [
    "",
    "--help",
    "--version",
    "train --help",
    "theory",
    "theory gaussian --sigma1 3 --sigma2 6",
    "data --list --json",
]
WORK = [
    "data digits -n 5",
    "data digits --info",
    "relabel --data digits --shift 1 -n 5",
    "eval --ckpt {m} --data digits -n 5 --json",
    "eval --ckpt {m} --dry-run",
    "attack --ckpt {m} --eps 0.1 --steps 1 -n 3 --data digits",
    "explain --ckpt {m} -n 2 --data digits -o -",
    "train --epochs 0 -n 9 --arch linear --data digits -q",
]
REST = [*REPORTS[2:4], *REPORTS[6:], *WORK[1:3], *WORK[4:]]


@pytest.mark.parametrize(
    "words",
    [*REPORTS[:2], *REPORTS[4:6], WORK[0], WORK[3], *(pytest.param(each, marks=pytest.mark.slow) for each in REST)],
)
def test_a_stdout_that_takes_nothing(shell, checkpoint, words):
    command = f"advtool {words.format(m=checkpoint)} </dev/null"
    process = shell(
        f"{command} >/dev/full; echo $? >&2; {command} >&-; echo $? >&2; {command} | true; echo ${{PIPESTATUS[0]}}"
    )
    full, first, closed, second = [line for line in process.stderr.decode().splitlines() if "warning" not in line]
    assert full == "advtool: error: stdout: cannot write (No space left on device)" and first == second == "1"
    assert closed.startswith("advtool: error: stdout: cannot write (it is closed)")
    assert process.stdout == b"141\n"


@pytest.mark.parametrize("way", ["2>/dev/full", "2>&-", "2> >(true)"])
def test_a_stderr_that_takes_nothing_changes_nothing(shell, tmp_path, checkpoint, way):
    good = (
        f"advtool data digits --split test -n 5 -o x.tar {way} && advtool eval --ckpt {checkpoint} --data x.tar {way}"
    )
    process = shell(f"{good} && rm x.tar; advtool data nowhere.tar {way}; echo $?")
    assert process.returncode == 0 and process.stdout.endswith(b"\n2\n") and not process.stderr
    assert not list(tmp_path.iterdir())


def test_work_that_writes_nothing_to_stdout_may_have_it_closed(shell, tmp_path):
    process = shell(
        "advtool data digits -n 5 -o x.tar >&- && advtool train --epochs 0 -n 9 -o m.safetensors </dev/null >&-"
    )
    assert process.returncode == 0 and {path.name for path in tmp_path.iterdir()} == {"x.tar", "m.safetensors"}


def test_an_evaluation_is_not_made_for_a_closed_stdout(shell, tmp_path, checkpoint):
    options = "--adv l2 --eps 0.1 --steps 1 -n 3 --data digits"
    process = shell(f"advtool eval --ckpt {checkpoint} {options} --per-sample p.jsonl >&-")
    assert process.returncode == 1 and process.stderr.count(b"\n") == 1 and not (tmp_path / "p.jsonl").exists()


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError(errno.ENAMETOOLONG, "File name too long", "x"), "x: cannot be read or written (File name too long)"),
        (OSError(errno.ELOOP, "Too many levels", b"\xff"), "\udcff: cannot be read or written (Too many levels)"),
        (OSError(errno.EIO, "Input/output error"), "input or output failed (Input/output error)"),
        (OSError("odd"), None),
        (MemoryError(), "out of memory; a smaller --batch-size or --limit may help"),
        (
            RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes."),
            "out of memory; a smaller",
        ),
        (RuntimeError("CUDA out of memory. Tried to allocate"), "out of memory on the device"),
        (RecursionError("maximum recursion depth exceeded"), "nested too deeply"),
        (RuntimeError("a bug"), None),
    ],
    ids=str,
)
def test_failures_of_the_machine(monkeypatch, error, expected):
    found = failures.line(error)
    assert found is None if expected is None else expected in found

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("advtool.commands.data._list", fail)
    if expected is None:
        with pytest.raises(type(error)):
            in_process.run("data", "--list")
        return
    status, out, err = in_process.run("data", "--list")
    assert (status, out, err.count("\n")) == (1, "", 1) and err.startswith("advtool: error: ")
    assert sys.exc_info() == (None, None, None)
