"""Workers that do not know of one another make the shards that one process makes."""

import json
import random
import signal
from pathlib import Path

import kills
import pytest
import shard_factory as make

RELABEL = ["relabel", "--data", "digits", "--shift", "1", "-n", "300", "--shard-size", "10"]


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


@pytest.fixture
def whole(advtool, tmp_path) -> dict[str, bytes]:
    assert advtool(*RELABEL, "-o", "whole/").returncode == 0
    return contents(tmp_path / "whole")


@pytest.mark.parametrize("count", [1, 3, 7])
def test_workers_in_any_order_make_the_set_of_one(advtool, tmp_path, whole, count):
    order = random.Random(count).sample(range(count), count)
    for place, index in enumerate(order):
        said = advtool(*RELABEL, "-o", "d/", "--shard-index", index, "--shard-count", count, "--json")
        assert said.returncode == 0, said.stderr.decode()
        own = [shard for shard in range(30) if shard % count == index]
        assert json.loads(said.stderr.splitlines()[-1])["written"] == 10 * len(own)
        made = contents(tmp_path / "d")
        if place < count - 1:
            assert all(name.startswith(".") and name.endswith(".part") for name in made), "nobody reads half a set"
            assert b"are other workers' to make" in said.stderr
    assert made == whole
    again = advtool(*RELABEL, "-o", "d/", "--shard-index", 0, "--shard-count", count, "--json")
    assert again.returncode == 0 and json.loads(again.stderr.splitlines()[-1])["written"] == 0
    assert contents(tmp_path / "d") == whole


def test_other_numbers_of_workers_go_on_with_what_is_there(advtool, tmp_path, whole):
    for index, count in ((5, 7), (1, 3), (0, 1)):
        assert advtool(*RELABEL, "-o", "d/", "--shard-index", index, "--shard-count", count).returncode == 0
    assert contents(tmp_path / "d") == whole


def test_an_array_of_slurm_says_which(advtool, tmp_path, whole):
    for task in (11, 13, 15):
        array = {"SLURM_ARRAY_TASK_ID": str(task), "SLURM_ARRAY_TASK_MIN": "11", "SLURM_ARRAY_TASK_STEP": "2"}
        assert advtool(*RELABEL, "-o", "d/", "--shard-count", 3, **array).returncode == 0
    assert contents(tmp_path / "d") == whole


@pytest.mark.parametrize(
    "more, words",
    [
        (["-o", "d/", "--shard-count", 3], "--shard-index: needs to be told"),
        (["-o", "d/", "--shard-count", 3, "--shard-index", 3], "workers of 3 are numbered from 0 to 2"),
        (["-o", "d/", "--shard-index", 1], "--shard-index: needs --shard-count"),
        (["-o", "d.tar", "--shard-count", 3, "--shard-index", 1], "needs -o DIR/"),
    ],
)
def test_what_cannot_be_is_refused(advtool, tmp_path, more, words):
    arguments = RELABEL if more[1] == "d/" else RELABEL[:-2]
    done = advtool(*arguments, *more)
    assert done.returncode == 2 and words in done.stderr.decode()
    assert make.files_below(tmp_path) == []


def test_shards_of_another_command_are_not_taken_for_one_s_own(advtool, tmp_path, whole):
    other = [word if word != "1" else "2" for word in RELABEL]
    done = advtool(*other, "-o", "whole/", "--shard-index", 0, "--shard-count", 2)
    assert done.returncode == 2 and "has shards of another command" in done.stderr.decode()
    assert contents(tmp_path / "whole") == whole


@pytest.mark.slow
def test_a_hundred_shards_by_seven_workers_with_ten_kills(advtool, checkpoint, tmp_path):
    attack = ["attack", "--ckpt", checkpoint, "--data", "digits", "--eps", "0.5", "--steps", "40", "-n", "1000", "-q"]
    attack = [*map(str, attack), "--shard-size", "10", "--batch-size", "10"]
    assert advtool(*attack, "-o", "one/").returncode == 0
    draw, killed = random.Random(0), 0

    def parts() -> list[Path]:
        return [*(tmp_path / "seven").glob(".*")]

    todo = draw.sample(range(7), 7)
    while todo:
        index = todo.pop(draw.randrange(len(todo)))
        process = kills._start([*attack, "-o", "seven/", "--shard-index", str(index), "--shard-count", "7"], tmp_path)
        wanted = len(parts()) + draw.randrange(6)
        while killed < 10 and process.is_alive() and len(parts()) <= wanted:
            process.join(0.01)
        process.join(0 if killed < 10 else 120)
        if process.is_alive():
            kills.os.kill(process.pid, signal.SIGKILL)
            process.join()
            killed += 1
            todo.append(index)
        else:
            assert process.exitcode == 0
    assert killed == 10
    assert contents(tmp_path / "seven") == contents(tmp_path / "one") and len(contents(tmp_path / "one")) == 100
