"""Temporary files: those of dead processes go, those of live ones stay, and none is in the way."""

import dis
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import shard_factory as make
from tests_support import environment

from advtool.io.atomic import whole_file

HOLDS = """
import sys, time
from advtool.io.atomic import whole_file
with whole_file(sys.argv[1]) as file:
    file.write(b"half")
    file.flush()
    print("open", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def writer(tmp_path):
    """A process that is in the middle of writing ``out.tar``."""
    command = [sys.executable, "-c", HOLDS, str(tmp_path / "out.tar")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment())
    assert process.stdout.readline() == b"open\n"
    yield process
    process.kill()
    process.communicate()


def write(path, data: bytes = b"new") -> None:
    with whole_file(path) as file:
        file.write(data)


def test_what_a_killed_process_left_is_gone_after_the_next_write(tmp_path, writer):
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    (left,) = make.files_below(tmp_path)
    assert left == f".out.tar.{writer.pid}.tmp"
    write(tmp_path / "other.tar")
    assert left in make.files_below(tmp_path)
    write(tmp_path / "out.tar")
    assert make.files_below(tmp_path) == ["other.tar", "out.tar"]


def test_the_file_of_a_live_process_stays(tmp_path, writer):
    write(tmp_path / "out.tar")
    assert make.files_below(tmp_path) == [f".out.tar.{writer.pid}.tmp", "out.tar"]


def test_one_of_this_very_number_is_not_in_the_way(tmp_path):
    (tmp_path / f".out.tar.{os.getpid()}.tmp").write_bytes(b"of another container")
    write(tmp_path / "out.tar")
    assert make.files_below(tmp_path) == ["out.tar"]


def test_two_at_once_in_one_process(tmp_path):
    with whole_file(tmp_path / "out.tar") as first:
        first.write(b"first")
        write(tmp_path / "out.tar", b"second")
        assert (tmp_path / "out.tar").read_bytes() == b"second"
    assert (tmp_path / "out.tar").read_bytes() == b"first"
    assert make.files_below(tmp_path) == ["out.tar"]


def test_nothing_but_temporary_files_is_swept(tmp_path):
    names = [
        ".out.tar.tmp",
        ".out.tar.1a.tmp",
        ".out.tar.12.tmpx",
        "out.tar.12.tmp",
        ".out.tar2.12.tmp",
        ".outxtar.1.tmp",
    ]
    for name in names:
        (tmp_path / name).write_bytes(b"the user's")
    (tmp_path / ".out.tar.7.tmp").mkdir()
    (tmp_path / ".out.tar.8.tmp").symlink_to("elsewhere")
    write(tmp_path / "out.tar")
    assert {*os.listdir(tmp_path)} == {*names, "out.tar", ".out.tar.7.tmp", ".out.tar.8.tmp"}


def _interrupted(path, number):
    """Write a file and end, as a signal's handler does, before one instruction; whether there were so many."""
    seen = 0

    def trace(frame, event, _):
        nonlocal seen
        if Path(frame.f_code.co_filename).name not in ("atomic.py", "temporary.py", "contextlib.py"):
            return None
        if not frame.f_trace_opcodes:
            frame.f_trace_opcodes = True
            sys.settrace(trace)  # Python 3.12.0 to 3.12.2 see that opcodes are wanted when tracing is begun
        if event != "opcode" or dis.opname[frame.f_code.co_code[frame.f_lasti]].startswith("RETURN"):
            return trace  # Python looks for signals after calls and in loops, never on the way out
        seen += 1
        if seen == number:
            sys.settrace(None)
            raise SystemExit
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        with whole_file(path) as file:
            file.write(b"0123456789")
    except SystemExit:
        return True
    finally:
        sys.settrace(before)
    return False


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_end_at_any_instruction_leaves_nothing_behind(tmp_path):
    number = 1
    while _interrupted(tmp_path / "out", number):
        assert [path.name for path in tmp_path.iterdir()] in ([], ["out"])
        (tmp_path / "out").unlink(missing_ok=True)
        number += 1
    assert number > 300
