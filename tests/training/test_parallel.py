"""Two gloo processes train like one."""

import itertools
import json
import subprocess
import sys
import time

import launched
import pytest
import shard_factory as make
import torch
from tests_support import environment

from advtool import load
from advtool.data.portions import portion
from advtool.io import checkpoints, streams
from advtool.launchers import Processes
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


OBJECTIVES = {
    "plain": [],
    "noise": ["--noise", 0.2],
    "joint": ["--adv", "l2", "--eps", 0.5, "--lam", 2, "--attack-correct-only"],
    "trades": ["--adv", "l2", "--eps", 0.5, "--objective", "trades", "--val", 0.2, "--ema"],
    "mart": ["--adv", "linf", "--eps", 0.1, "--objective", "mart", "--eval-data", "t=digits"],
    "fast": ["--adv", "linf", "--eps", 0.1, "--objective", "fast"],
    "n-fgsm": ["--adv", "linf", "--eps", 0.1, "--objective", "n-fgsm"],
    "awp": ["--adv", "l2", "--eps", 0.5, "--awp", 0.01],
    "accumulate": ["--adv", "l2", "--eps", 0.5, "--accumulate", 3],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_objective_has_the_curve_and_weights_of_one_process(advtool, tmp_path, name):
    # 109 images: batches of 32, 32, 32 and 13, of which one process has a row more than the other.
    arguments = [*TRAIN, "-n", 109, "--no-amp", *OBJECTIVES[name]]
    assert advtool(*arguments, "-o", "one.safetensors").returncode == 0
    processes = launched.start(tmp_path, [*arguments, "-o", "two.safetensors"], launched.plainly(2))
    done = launched.ended(processes)
    assert [status for status, _, _ in done] == [0, 0], done
    one, two = history_of(tmp_path / "one.safetensors"), history_of(tmp_path / "two.safetensors")
    for before, after in zip(map(flattened, one), map(flattened, two), strict=True):
        assert after == pytest.approx(before, abs=1e-5)
    weights = [load(tmp_path / f"{name}.safetensors").net.state_dict() for name in ("one", "two")]
    for name in weights[0]:
        torch.testing.assert_close(weights[1][name], weights[0][name], rtol=1e-4, atol=1e-5)


def flattened(record: dict, before: str = "") -> dict[str, float]:
    found = {}
    for name, value in record.items():
        found |= flattened(value, f"{name}.") if isinstance(value, dict) else {before + name: value}
    return found


def test_accumulated_batches_are_a_step_of_them_all(advtool, tmp_path):
    common = [*TRAIN[:7], "-n", 109, "--no-amp", "--adv", "l2", "--eps", "0.5"]
    for name, sizes in (("several", ["--batch-size", 32, "--accumulate", 3]), ("one", ["--batch-size", 96])):
        assert advtool(*common, *sizes, "-o", f"{name}.safetensors").returncode == 0
    several, one = (load(tmp_path / f"{name}.safetensors").net.state_dict() for name in ("several", "one"))
    for name in one:
        torch.testing.assert_close(several[name], one[name], rtol=1e-4, atol=1e-5)
    assert checkpoints.read(streams.open_path(tmp_path / "several.safetensors")).meta["training"]["accumulate"] == 3
    assert "accumulate" not in checkpoints.read(streams.open_path(tmp_path / "one.safetensors")).meta["training"]


COUNTING = """
import sys
from advtool.io.samples import Sample
from advtool.cli.main import main
decode, seen = Sample.pixels, []
def counted(sample):
    seen.append(sample.key)
    return decode(sample)
Sample.pixels = counted
try:
    main()
finally:
    print("decoded", len(seen), len(set(seen)), file=sys.stderr)
"""


def test_each_process_decodes_its_part_only(tmp_path):
    (tmp_path / "counting.py").write_text(COUNTING)
    arguments = [*TRAIN[:6], "1", "-n", "99", "--batch-size", "32", "--no-amp", "-o", "m.safetensors", "-q"]
    processes = [
        subprocess.Popen(
            [sys.executable, "counting.py", *arguments],
            cwd=tmp_path,
            env=environment(**env),
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for env in launched.plainly(2)
    ]
    done = launched.ended(processes)
    counts = [[int(number) for number in err.split()[1:]] for _, _, err in done]
    # Of 99 training and 360 test images; there is nothing else, and none of them twice.
    assert counts == [[50 + 180, 50 + 180], [49 + 180, 49 + 180]], done


def test_streams_are_refused(tmp_path):
    done = run(tmp_path, *TRAIN)
    assert done.returncode != 0
    assert "several processes write one checkpoint to a file: -o FILE" in done.stderr.decode()


@pytest.mark.slow
def test_a_rank_that_dies_ends_the_others_and_leaves_nothing(tmp_path):
    running = subprocess.Popen(
        [*TORCHRUN, *TRAIN[:5], "--epochs", "100000", "-o", "m.safetensors"],
        cwd=tmp_path,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    state = tmp_path / "m.safetensors.state"
    limit = time.monotonic() + 90
    while not state.exists() and time.monotonic() < limit:
        time.sleep(0.1)
    assert state.exists() and running.poll() is None
    children = subprocess.run(["pgrep", "-P", str(running.pid)], capture_output=True, text=True).stdout.split()
    subprocess.run(["kill", "-9", children[-1]], check=True)
    with running.stderr:
        assert running.wait(timeout=60) != 0
    assert make.files_below(tmp_path) == ["m.safetensors.state"]


def parts_of(rows: int, world: int) -> list[list[int]]:
    return [list(range(rows))[portion(rows, Processes(rank, world))] for rank in range(world)]


def test_portions_are_disjoint_whole_and_nearly_alike():
    for world in (2, 3, 5, 7):
        for rows in range(2 * world, 40):
            parts = parts_of(rows, world)
            assert [*itertools.chain(*parts)] == list(range(rows))
            assert max(map(len, parts)) - min(map(len, parts)) <= 1 and min(map(len, parts)) >= 2
            assert all(Share(Processes(rank, world)).counts(rows) for rank in range(world))
            weights = [Share(Processes(rank, world)).weight(len(part), rows) for rank, part in enumerate(parts)]
            assert sum(weights) == pytest.approx(1)


@pytest.mark.parametrize("n", [1, 2, 5])
def test_a_batch_that_would_leave_a_process_one_row_is_done_by_all_and_counted_once(n):
    assert parts_of(n, 3) == 3 * [list(range(n))]
    assert [Share(Processes(rank, 3)).counts(n) for rank in range(3)] == [True, False, False]
    assert [Share(Processes(rank, 3)).weight(n, n) for rank in range(3)] == 3 * [1 / 3]
