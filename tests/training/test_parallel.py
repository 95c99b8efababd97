"""Two gloo processes train like one."""

import json
import subprocess
import sys
import time

import pytest
import shard_factory as make
import torch
from tests_support import environment

from advtool import load
from advtool.distributed import Processes
from advtool.io import checkpoints, streams
from advtool.training.parallel import Share

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "advtool"]
# 98 images in batches of 32: the last has 2 rows, too few to be shared by two processes.
TRAIN = ["train", "--arch", "mlp", "--hidden", "16", "--epochs", "3", "--batch-size", "32"]


def run(tmp_path, *arguments, **options):
    return subprocess.run(
        [*TORCHRUN, *map(str, arguments)],
        cwd=tmp_path,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=120,
        **options,
    )


def history_of(path) -> list[dict]:
    return checkpoints.read(streams.open_path(path)).meta["history"]


def test_two_processes_train_to_the_same_curve_as_one(advtool, tmp_path):
    arguments = [*TRAIN, "-n", 98, "--adv", "l2", "--eps", "0.5", "--test-limit", "50", "--no-amp"]
    assert advtool(*arguments, "-o", "one.safetensors").returncode == 0
    done = run(tmp_path, *arguments, "-o", "two.safetensors", "--json")
    assert done.returncode == 0, done.stderr.decode()
    assert json.loads(done.stdout)["clean"]["n"] == 360
    one, two = history_of(tmp_path / "one.safetensors"), history_of(tmp_path / "two.safetensors")
    assert [record.keys() for record in one] == [record.keys() for record in two]
    for before, after in zip(one, two, strict=True):
        assert after == pytest.approx(before, abs=1e-4)
    weights = [load(tmp_path / f"{name}.safetensors").net.state_dict() for name in ("one", "two")]
    for name in weights[0]:
        torch.testing.assert_close(weights[1][name], weights[0][name], rtol=1e-3, atol=1e-4)
    assert done.stderr.decode().count("epoch 3/3") == 1


def test_free_gives_the_same_whatever_the_rows_of_a_process(advtool, tmp_path):
    arguments = [*TRAIN[:5], "--epochs", 9, "--objective", "free", "--replays", 3, "--adv", "l2", "--eps", "0.5"]
    arguments += ["-n", 108, "--batch-size", 32, "--test-limit", 50, "--no-amp"]  # the last batch has 12 rows
    assert advtool(*arguments, "-o", "one.safetensors").returncode == 0
    done = run(tmp_path, *arguments, "-o", "two.safetensors")
    assert done.returncode == 0, done.stderr.decode()
    one, two = history_of(tmp_path / "one.safetensors"), history_of(tmp_path / "two.safetensors")
    for before, after in zip(one, two, strict=True):
        assert after == pytest.approx(before, abs=1e-5)


def test_streams_are_refused(tmp_path):
    done = run(tmp_path, *TRAIN)
    assert done.returncode != 0
    assert "several processes write one checkpoint to a file: -o FILE" in done.stderr.decode()


@pytest.mark.slow
def test_a_rank_that_dies_ends_the_others_and_leaves_nothing(tmp_path):
    running = subprocess.Popen(
        [*TORCHRUN, *TRAIN, "--epochs", "100000", "-o", "m.safetensors"],
        cwd=tmp_path,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    state = tmp_path / "m.safetensors.state"
    limit = time.monotonic() + 90
    while not state.exists() and time.monotonic() < limit:
        time.sleep(0.1)
    children = subprocess.run(["pgrep", "-P", str(running.pid)], capture_output=True, text=True).stdout.split()
    subprocess.run(["kill", "-9", children[-1]], check=True)
    assert running.wait(timeout=60) != 0
    assert make.files_below(tmp_path) == ["m.safetensors.state"]


def test_shares_are_disjoint_and_whole():
    rows = torch.arange(11)
    parts = [Share(Processes(rank, 3)).of(rows)[0] for rank in range(3)]
    assert torch.equal(torch.cat(parts), rows)
    assert [Share(Processes(rank, 3)).counts(11) for rank in range(3)] == [True] * 3


@pytest.mark.parametrize("n", [1, 2, 5])
def test_a_batch_that_would_leave_a_process_one_row_is_done_by_all_and_counted_once(n):
    rows = torch.arange(n)
    assert all(torch.equal(Share(Processes(rank, 3)).of(rows)[0], rows) for rank in range(3))
    assert [Share(Processes(rank, 3)).counts(n) for rank in range(3)] == [True, False, False]


def test_shares_have_two_rows_at_least():
    assert [len(Share(Processes(rank, 3)).of(torch.arange(6))[0]) for rank in range(3)] == [2, 2, 2]
