import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest
import shard_factory as make
from tests_support import environment

from advtool.errors import AdvtoolError
from advtool.io.atomic import whole_file, writing


def write(path, data: bytes = b"new") -> None:
    with whole_file(path) as file:
        file.write(data)


def test_a_file_appears_whole(tmp_path):
    target = tmp_path / "out.tar"
    with whole_file(target) as file:
        file.write(b"half")
        file.flush()
        assert not target.exists()
        file.write(b" and half")
    assert target.read_bytes() == b"half and half"
    assert make.files_below(tmp_path) == ["out.tar"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, AdvtoolError, SystemExit, BrokenPipeError])
def test_after_an_exception_there_is_no_file(tmp_path, error):
    with pytest.raises(error), whole_file(tmp_path / "out.tar") as file:
        file.write(b"half")
        raise error
    assert make.files_below(tmp_path) == []


def test_after_an_exception_the_old_file_is_intact(tmp_path):
    target = tmp_path / "out.tar"
    target.write_bytes(b"old")
    with pytest.raises(ValueError, match="stop"), whole_file(target) as file:
        file.write(b"new")
        raise ValueError("stop")
    assert target.read_bytes() == b"old"
    assert make.files_below(tmp_path) == ["out.tar"]


def test_an_old_file_is_replaced(tmp_path):
    target = tmp_path / "out.tar"
    target.write_bytes(b"a longer old content")
    write(str(target))
    assert target.read_bytes() == b"new"


@pytest.mark.parametrize("exists", [True, False], ids=["to a file", "dangling"])
def test_a_symlink_is_followed_to_its_target(tmp_path, exists):
    (tmp_path / "real").mkdir()
    target, link = tmp_path / "real" / "target.tar", tmp_path / "link.tar"
    if exists:
        target.write_bytes(b"old")
    link.symlink_to(target)
    write(link)
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert make.files_below(tmp_path) == ["link.tar", "real/target.tar"]


def test_a_fifo_is_written_straight_through(tmp_path):
    fifo = tmp_path / "pipe"
    os.mkfifo(fifo)
    received = []
    reader = threading.Thread(target=lambda: received.append(fifo.read_bytes()))
    reader.start()
    write(fifo)
    reader.join()
    assert received == [b"new"]
    assert fifo.is_fifo()


def test_dev_null_takes_everything_and_stays_a_device():
    write("/dev/null", bytes(100_000))
    assert not os.path.isfile("/dev/null")


def test_a_full_device_is_one_clear_error():
    with pytest.raises(AdvtoolError, match=r"^/dev/full: cannot write \(No space left on device\)$"):
        write("/dev/full", bytes(100_000))
    with pytest.raises(AdvtoolError, match="No space left"):
        write("/dev/full", b"less than a buffer")


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_a_pipe_named_by_its_descriptor_is_written_straight_through(name):
    """What a shell's `>(…)` and /dev/stdout resolve to, pipe:[123], exists under no path."""
    program = f"from advtool.io.atomic import whole_file\nwith whole_file({name!r}) as file: file.write(b'new')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, env=environment(), check=False)
    assert (done.stdout, done.stderr) == (b"new", b"")


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="no /dev/shm here")
def test_a_file_in_shared_memory_is_a_file_like_any_other():
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        target = Path(folder) / "out.tar"
        target.write_bytes(b"old")
        with pytest.raises(ValueError, match="stop"), whole_file(target) as file:
            file.write(b"half")
            raise ValueError("stop")
        assert target.read_bytes() == b"old"
        write(target)
        assert target.read_bytes() == b"new"


def test_a_missing_directory_is_one_clear_error(tmp_path):
    with pytest.raises(AdvtoolError, match=r"out.tar: cannot write \(No such file or directory\)"):
        write(tmp_path / "none" / "out.tar")


def test_a_directory_in_the_way_is_one_clear_error(tmp_path):
    (tmp_path / "out.tar").mkdir()
    with pytest.raises(AdvtoolError, match=r"out.tar: cannot write \(Is a directory\)"):
        write(tmp_path / "out.tar")
    assert make.files_below(tmp_path) == []


def test_a_long_file_name_leaves_room_for_the_temporary_one(tmp_path):
    write(tmp_path / ("n" * 251 + ".tar"))
    assert make.files_below(tmp_path) == ["n" * 251 + ".tar"]


def test_a_broken_pipe_stays_what_it_is():
    with pytest.raises(BrokenPipeError), writing("stdout"):
        raise BrokenPipeError
    with pytest.raises(AdvtoolError, match="stdout: cannot write"), writing("stdout"):
        raise OSError(28, "No space left on device")
