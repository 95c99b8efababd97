"""What goes wrong around a command: closed descriptors, signals, places that cannot be written to, empty names."""

import os
import signal
import subprocess
import time

import pytest
from in_process import refusal, run
from tests_support import COMMAND, environment

RELABEL = "advtool relabel --data digits --shift 1 -n 20"


@pytest.mark.parametrize("closed", ["2>&-", "<&-", "2>&- <&-"])
def test_a_closed_descriptor_does_not_let_messages_into_the_data(tmp_path, shell, closed):
    done = shell(f"{RELABEL} -q >straight.tar </dev/null && {RELABEL} {closed} >out.tar")
    assert (done.returncode, done.stdout) == (0, b"")
    assert (tmp_path / "out.tar").read_bytes() == (tmp_path / "straight.tar").read_bytes()


@pytest.mark.parametrize("closed", [">&-", ">&- <&-"])
def test_a_closed_stdout_is_an_error_before_the_work(tmp_path, shell, closed):
    done = shell(f"{RELABEL} {closed}")
    assert done.returncode == 1
    assert done.stderr == b"advtool: error: stdout: cannot write (it is closed); name a file with `-o`\n"
    assert not [*tmp_path.iterdir()]


def test_all_three_closed(tmp_path, shell):
    done = shell(f"{RELABEL} -q >straight.tar </dev/null; {RELABEL} -o out.tar >&- 2>&- <&-")
    assert done.returncode == 0
    assert (tmp_path / "out.tar").read_bytes() == (tmp_path / "straight.tar").read_bytes()
    assert sorted(os.listdir(tmp_path)) == ["out.tar", "straight.tar"]


@pytest.mark.parametrize(("number", "status"), [(signal.SIGHUP, 129), (signal.SIGTERM, 143)])
def test_signals_clean_up(tmp_path, number, status):
    command = [*COMMAND, "data", "digits", "--split", "train", "-q", "-o", "fifo.tar"]
    read, write = os.pipe()  # data waits for its input, with its output begun
    process = subprocess.Popen(
        [*COMMAND, "relabel", "--data", "-", "--classes", "10", "--shift", "1", "-o", "out.tar"],
        stdin=read,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        env=environment(),
    )
    os.close(read)
    samples = subprocess.run(command[:-1] + ["-"], capture_output=True, env=environment(), check=True).stdout
    os.write(write, samples[:40_000])
    limit = time.monotonic() + 60
    while not list(tmp_path.glob(".out.tar.*.tmp")) and time.monotonic() < limit:
        time.sleep(0.02)
    assert list(tmp_path.glob(".out.tar.*.tmp"))
    process.send_signal(number)
    _, stderr = process.communicate(timeout=60)
    os.close(write)
    assert (process.returncode, stderr) == (status, b"")
    assert not [*tmp_path.iterdir()]


def test_nohup_stays_what_it_is(tmp_path, shell):
    done = shell(f"trap '' HUP; {RELABEL} -o out.tar & sleep 0.5; kill -HUP $!; wait $!")
    assert done.returncode == 0 and (tmp_path / "out.tar").exists()


LONG = "x" * 300
PLACES = {
    "a dangling link": ("dangling", "is a link to nowhere.tar, which does not exist"),
    "a loop of links": ("loop", "Too many levels of symbolic links"),
    "below a loop of links": ("loop/out.tar", "Too many levels of symbolic links"),
    "below a file": ("file/out.tar", "Not a directory"),
    "a long name": (LONG, "File name too long"),
    "below a long name": (f"{LONG}/out.tar", "File name too long"),
}
COMMANDS = {
    "relabel": ["relabel", "--data", "digits", "--shift", "1", "-o"],
    "data": ["data", "digits", "-o"],
    "train": ["train", "--data", "digits", "--epochs", "1", "-o"],
    "per_sample": ["eval", "--ckpt", "m", "--data", "digits", "--adv", "l2", "--eps", "1", "--per-sample"],
    "a directory": ["relabel", "--data", "digits", "--shift", "1", "--shard-size", "5", "-o"],
}


@pytest.mark.parametrize(("place", "reason"), PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_a_place_that_cannot_be_written_is_refused_before_the_work(tmp_path, monkeypatch, command, place, reason):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dangling").symlink_to("nowhere.tar")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").touch()
    assert reason in refusal(*command, place)
    assert sorted(os.listdir(tmp_path)) == ["dangling", "file", "loop"]


def test_a_name_that_leaves_no_room_for_the_state(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "File name too long" in refusal(*COMMANDS["train"], "x" * 252)
    assert "File name too long" in refusal(*COMMANDS["train"], "x" * 250, "--trials", "2")


EMPTY = [
    *("data @", "data --info @", "data --verify @", "data digits -o @", "data digits --split @"),
    *("data mnist --data-root @", "train --data @", "train --init @", "train -o @", "train --eval-data @"),
    *("train --eval-data digits --eval-data @", "train --eval-data a=", "train --plot @"),
    *("eval --ckpt @", "eval --ckpt m --data @", "eval --ckpt m --base @", "eval --ckpt m --per-sample @"),
    *("attack --ckpt @ --adv l2 --eps 1", "attack --ckpt m --adv l2 --eps 1 -o @", "distill --ckpt @"),
    *("relabel --shift 1 --data @", "relabel --map @", "relabel --predict @", "relabel --shift 1 -o @"),
    *("explain --ckpt @", "explain --ckpt m -o @", "explain --ckpt m --shards @", "data --image-key @ x.tar"),
    "theory gaussian --sigma1 3 --sigma2 6 --plot @",
]


@pytest.mark.parametrize("line", EMPTY)
def test_a_name_that_is_empty_is_a_usage_error(tmp_path, monkeypatch, line):
    monkeypatch.chdir(tmp_path)
    words = ["" if word == "@" else word for word in line.split()]
    said = refusal(*words)
    assert "empty" in said or "must be SOURCE" in said, said
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("name", [LONG, "loop", "loop/x", "file/x", f"{LONG}/x"])
@pytest.mark.parametrize(
    "line",
    [
        *("data @", "data @ --verify", "train --data @", "train --init @", "train --eval-data @", "eval --ckpt @"),
        *("relabel --map @", "relabel --predict @", "relabel --shift 1 --data @", "explain --ckpt @"),
        *("data mnist --info --data-root @", "data mnist --verify --data-root @"),
    ],
)
def test_a_name_that_cannot_be_read_is_one_line(tmp_path, monkeypatch, line, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").touch()
    status, out, err = run(*line.replace("@", name).split())
    assert status in (1, 2) and len(err.splitlines()) == 1, err
    assert out == "" or "--verify" in line
