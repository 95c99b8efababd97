"""Processes find one another whoever starts them, or are refused."""

import json
import os

import launched
import pytest
import shard_factory as make

from advtool.errors import UsageError
from advtool.launchers import Processes, processes, rendezvous, share_of_machine

TRAIN = ["train", "--arch", "mlp", "--hidden", "16", "--epochs", "2", "--no-amp", "-n", "98"]
SET_BY_LAUNCHERS = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
STEP = {"SLURM_PROCID": "5", "SLURM_STEP_NUM_TASKS": "8", "SLURM_LOCALID": "1", "SLURM_JOB_ID": "12"}
STEP |= {"SLURM_STEP_ID": "3", "SLURM_STEP_TASKS_PER_NODE": "4(x2)"}


@pytest.fixture
def says(monkeypatch):
    """Set the environment, without what this machine's own launcher may have set."""
    for name in os.environ:
        if name in SET_BY_LAUNCHERS or name.startswith(("SLURM_", "OMPI_", "PMI_")):
            monkeypatch.delenv(name)

    def say(**values: str) -> None:
        for name, value in values.items():
            monkeypatch.setenv(name, value)

    return say


@pytest.mark.parametrize(
    "values, expected",
    [
        ({}, Processes()),
        ({"RANK": "3", "WORLD_SIZE": "8", "LOCAL_RANK": "1"}, Processes(3, 8, 1)),
        ({"RANK": "3", "WORLD_SIZE": "8"}, Processes(3, 8, None)),
        ({"RANK": "0", "WORLD_SIZE": "1"}, Processes()),
        (STEP, Processes(5, 8, 1)),
        ({**STEP, "RANK": "2", "WORLD_SIZE": "4", "LOCAL_RANK": "2"}, Processes(2, 4, 2)),
        ({"SLURM_PROCID": "0", "SLURM_NTASKS": "8"}, Processes()),  # the batch script itself
        ({"OMPI_COMM_WORLD_SIZE": "1"}, Processes()),
    ],
)
def test_who_this_process_is(says, values, expected):
    says(**values)
    assert processes() == expected


@pytest.mark.parametrize(
    "values, words",
    [
        ({"RANK": "1"}, "RANK is 1 and WORLD_SIZE is not set: set both, or neither"),
        ({"WORLD_SIZE": "2"}, "WORLD_SIZE is 2 and RANK is not set: set both, or neither"),
        ({"RANK": "2", "WORLD_SIZE": "2"}, "RANK is 2 of WORLD_SIZE 2: ranks go from 0"),
        ({"RANK": "-1", "WORLD_SIZE": "2"}, "RANK is '-1', no number"),
        ({"RANK": "0", "WORLD_SIZE": "many"}, "WORLD_SIZE is 'many', no number"),
        ({"OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_RANK": "0"}, "mpirun started 2 processes"),
    ],
)
def test_half_of_what_is_needed_is_refused(says, values, words):
    says(**values)
    with pytest.raises(UsageError, match=words):
        processes()


@pytest.mark.parametrize(
    "nodes, first",
    [
        ("node7", "node7"),
        ("a,b", "a"),
        ("gpu[07-09,12]", "gpu07"),
        ("gpu[3,1],cpu4", "gpu3"),
        ("r1-n[01-02]-ib,x", "r1-n01-ib"),
    ],
)
def test_tasks_of_a_step_meet_on_its_first_node(says, nodes, first):
    says(**STEP, SLURM_STEP_NODELIST=nodes)
    found = rendezvous()
    assert found["MASTER_ADDR"] == first and 1024 < int(found["MASTER_PORT"]) < 32768
    assert (found["RANK"], found["WORLD_SIZE"], found["LOCAL_RANK"]) == ("5", "8", "1")
    says(SLURM_STEP_ID="4")
    assert rendezvous()["MASTER_PORT"] != found["MASTER_PORT"]  # of another step of the job


def test_what_the_user_says_of_the_meeting_goes_first(says):
    says(**STEP, SLURM_STEP_NODELIST="a", MASTER_ADDR="10.0.0.1", MASTER_PORT="4000")
    assert rendezvous()["MASTER_ADDR"] == "10.0.0.1" and rendezvous()["MASTER_PORT"] == "4000"


@pytest.mark.parametrize(
    "values, expected",
    [({}, 1), ({"RANK": "0", "WORLD_SIZE": "8", "LOCAL_WORLD_SIZE": "4"}, 4), (STEP, 4)],
)
def test_how_many_share_the_machine(says, values, expected):
    says(**values)
    assert share_of_machine() == expected


@pytest.mark.parametrize(
    "arguments, env, words",
    [
        (TRAIN, {"RANK": "0", "WORLD_SIZE": "2"}, "MASTER_ADDR and MASTER_PORT are not set"),
        (TRAIN, {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "h"}, "others: MASTER_PORT is not set"),
        (TRAIN, {"OMPI_COMM_WORLD_SIZE": "2"}, "set RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT"),
        (["data", "digits", "-o", "x.tar"], {"RANK": "0", "WORLD_SIZE": "2"}, "several are for train, attack,"),
        (["theory", "gaussian", "--json"], {"RANK": "0", "WORLD_SIZE": "2"}, "several are for train, attack,"),
    ],
)
def test_processes_that_would_each_do_everything_are_refused(advtool, tmp_path, arguments, env, words):
    done = advtool(*arguments, "-o", "x.safetensors", **env) if arguments is TRAIN else advtool(*arguments, **env)
    assert done.returncode == 2 and words in done.stderr.decode() and done.stderr.count(b"\n") == 1
    assert make.files_below(tmp_path) == []


def test_plain_variables_and_srun_do_the_same_and_count_all(advtool, checkpoint, tmp_path):
    attack = ["attack", "--ckpt", checkpoint, "--eps", "0.5", "--steps", "2", "-n", "100", "--shard-size", "20"]
    assert advtool(*attack, "-o", "one/", "--json").returncode == 0
    made = {}
    for name, envs in (("plain", launched.plainly(2)), ("srun", launched.by_srun(2))):
        first, second = launched.ended(launched.start(tmp_path, [*attack, "-o", f"{name}/", "--json"], envs))
        assert (first[0], second[0]) == (0, 0), first[2] + second[2]
        said, account = first[2].splitlines()
        assert said.startswith("advtool: wrote 100 images") and json.loads(account)["n"] == 100
        assert second[1:] == ("", "")
        made[name] = {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}
    assert made["plain"] == made["srun"] and len(made["srun"]) == 5
    assert made["srun"] == {path.name: path.read_bytes() for path in (tmp_path / "one").iterdir()}


def test_a_run_that_writes_the_same_file_is_refused(advtool, tmp_path):
    (running,) = launched.start(tmp_path, [*TRAIN[:6], "100000", "-o", "m.safetensors", "-q"], [{}])
    launched.wait_for(tmp_path / "m.safetensors.state", [running])
    other = advtool(*TRAIN, "-o", "m.safetensors", "-f")
    running.terminate()
    assert other.returncode == 2 and b"another run is writing it; wait for that" in other.stderr
    assert launched.ended([running])[0][0] == 143
    assert advtool(*TRAIN, "-o", "m.safetensors", "-f").returncode == 0
    assert make.files_below(tmp_path) == ["m.safetensors"]


@pytest.mark.slow
@pytest.mark.parametrize("dead", [0, 1, 2])
def test_a_rank_that_dies_ends_the_others_with_one_line_each(tmp_path, dead):
    arguments = [*TRAIN[:6], "1000000", "-n", "98", "--no-amp", "-o", "m.safetensors", "-q"]
    running = launched.start(tmp_path, arguments, launched.plainly(3))
    launched.wait_for(tmp_path / "m.safetensors.state", running)
    launched.kill(running[dead])
    for rank, (status, out, err) in enumerate(launched.ended(running, 60)):
        if rank != dead:
            assert status == 1 and out == ""
            assert err == f"advtool: error: process {rank} of 3 ends: another has ended before it\n"
