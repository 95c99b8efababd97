"""A run that is left in the middle of an epoch goes on as if it had not been."""

import json
import random
import signal
import subprocess
import sys
import time

import launched
import pytest
import shard_factory as make
import torch
from tests_support import environment

from advtool import load
from advtool.data.sources import resolve
from advtool.errors import AdvtoolError, UsageError
from advtool.io import checkpoints, streams
from advtool.training.options import Training
from advtool.training.run import TrainingRun
from advtool.training.state import StateFile
from advtool.training.within import Stop, Stopped, Within

CPU = torch.device("cpu")
ASKED = {"arch": "mlp", "hidden": (16,), "epochs": 2, "batch_size": 32, "limit": 200, "amp": False}
TRAIN = ["train", "--arch", "mlp", "--hidden", "16", "--batch-size", "32", "--no-amp", "-q"]
OBJECTIVES = {
    "plain": {},
    "average": {"adv": "l2", "eps": 0.5, "ema": True, "val": 0.2},
    "fast": {"adv": "linf", "eps": 0.1, "objective": "fast"},
    "free": {"adv": "l2", "eps": 0.5, "objective": "free", "replays": 2, "epochs": 4},
    "accumulated": {"adv": "l2", "eps": 0.5, "accumulate": 3},
    "batch-norm": {"arch": "cnn-small", "hidden": None, "width": 0.25, "limit": 96},
    "streamed": {"max_memory": 1e-6, "workers": 0},
}


def run(**asked) -> TrainingRun:
    return TrainingRun(resolve("digits"), Training(**{**ASKED, **asked}), CPU)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_state_within_an_epoch_leads_to_the_same_end(name, tmp_path):
    whole, states = run(**OBJECTIVES[name]), []
    out = tmp_path / "m.safetensors"

    def save(state):
        StateFile(out, whole.resolved()).write(state)  # as a run that is killed leaves it, on disk
        states.append((state.within, out.with_name("m.safetensors.state").read_bytes()))

    whole.fit(save=save, save_every=2)
    within = [(where, data) for where, data in states if where]
    assert within and {where.step for where, _ in within} >= {3 if name == "accumulated" else 2}
    undisturbed = run(**OBJECTIVES[name])
    undisturbed.fit()
    assert whole.to_bytes({}) == undisturbed.to_bytes({}), "saving changes nothing"
    for _, data in within:
        out.with_name("m.safetensors.state").write_bytes(data)
        again = run(**OBJECTIVES[name])
        again.fit(start=StateFile(out, again.resolved()).read())
        assert again.to_bytes({}) == undisturbed.to_bytes({})


def test_a_run_that_is_asked_to_stop_saves_and_stops(tmp_path):
    stop, states = Stop(), []
    asked = run()

    class Watching:
        def batch(self, epoch, tally):
            stop.asked = (epoch, tally.n) == (2, 96)

        def epoch(self, record):
            pass

    with pytest.raises(Stopped):
        asked.fit(Watching(), states.append, stop=stop)
    assert [state.within and state.within.step for state in states] == [None, 3] and len(asked.history) == 1


@pytest.mark.parametrize(
    "left, words",
    [
        (None, "no batch that it was left at"),
        ({"step": 0, "sums": [{}]}, "no batch that it was left at"),
        ({"step": 2, "sums": [{"n": 1}]}, "no numbers"),
        ({"step": 2, "sums": [{"n": "1", "loss": 0, "clean": 0, "adversarial": 0}]}, "no numbers"),
    ],
)
def test_what_no_run_leaves_is_refused(left, words):
    with pytest.raises(AdvtoolError, match=words):
        Within.of(left, {})


def test_a_signal_to_end_loses_nothing(advtool, tmp_path):
    arguments = [*TRAIN, "--epochs", "4", "--adv", "l2", "--eps", "0.5"]
    (running,) = launched.start(tmp_path, [*arguments, "-o", "m.safetensors", "--save-every", "3"], [{}])
    state = tmp_path / "m.safetensors.state"
    launched.wait_for(state, [running])
    began = time.monotonic()
    running.send_signal(signal.SIGTERM)
    ((status, _, err),) = launched.ended([running])
    assert status == 143 and time.monotonic() - began < 10, err
    assert make.files_below(tmp_path) == ["m.safetensors.state"]
    assert checkpoints.read(streams.open_path(state)).meta["processes"] == 1
    assert advtool(*arguments, "-o", "m.safetensors", "--resume").returncode == 0
    assert advtool(*arguments, "-o", "whole.safetensors").returncode == 0
    assert (tmp_path / "m.safetensors").read_bytes() == (tmp_path / "whole.safetensors").read_bytes()


@pytest.mark.slow
def test_another_number_of_processes_goes_on_up_to_rounding(advtool, tmp_path):
    arguments = [*TRAIN[:-1], "--epochs", "3", "--adv", "l2", "--eps", "0.5"]
    running = launched.start(tmp_path, [*arguments, "-o", "m.safetensors", "--save-every", "3"], launched.plainly(2))
    launched.wait_for(tmp_path / "m.safetensors.state", running)
    running[1].send_signal(signal.SIGTERM)  # one is enough: they agree
    assert [status for status, _, _ in launched.ended(running)] == [143, 143]
    done = advtool(*arguments, "-o", "m.safetensors", "--resume")
    assert done.returncode == 0 and b"is of 2 processes, now there are 1: sums differ by rounding" in done.stderr
    assert advtool(*arguments, "-o", "one.safetensors").returncode == 0
    found, one = (load(tmp_path / f"{name}.safetensors").net.state_dict() for name in ("m", "one"))
    for name in one:
        torch.testing.assert_close(found[name], one[name], rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_a_stream_goes_on_with_as_many_processes_only(tmp_path):
    states = []
    streamed = run(**OBJECTIVES["streamed"])
    streamed.fit(save=states.append, save_every=2)
    state = next(state for state in states if state.within)
    twice = Within(state.within.step, [*state.within.sums] * 2, [*state.within.tensors] * 2)
    with pytest.raises(UsageError, match="resume with as many"):
        run(**OBJECTIVES["streamed"]).fit(start=type(state)(state.parts, state.history, within=twice, processes=2))


@pytest.mark.slow
def test_a_rank_that_is_killed_costs_nothing_but_time(tmp_path):
    assert kill_ranks(tmp_path, kills=3, seed=0) == 3


def kill_ranks(place, kills: int, seed: int) -> int:
    """Kill a rank, or all of them, at random moments of runs that start again by themselves: how many ended alike."""
    arguments = [*TRAIN, "--epochs", "6", "--adv", "l2", "--eps", "0.5", "--save-every", "4"]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--max-restarts", "3"]
    torchrun += ["--master-port", str(launched.free_port()), "-m", "advtool", *arguments]

    def started(name: str) -> subprocess.Popen:
        return subprocess.Popen(
            [*torchrun, "-o", name, "--resume"],
            cwd=place,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    began = time.monotonic()
    assert started("whole.safetensors").wait(300) == 0
    seconds, draw, alike = time.monotonic() - began, random.Random(seed), 0
    for number in range(kills):
        name = f"{number}.safetensors"
        running = started(name)
        launched.wait_for(place / f"{name}.state", [running])
        time.sleep(draw.uniform(0, max(0.1, seconds / 8)))
        ranks = subprocess.run(["pgrep", "-P", str(running.pid)], capture_output=True, text=True).stdout.split()
        for rank in ranks if draw.random() < 0.25 else [draw.choice(ranks)] if ranks else []:
            subprocess.run(["kill", "-9", rank])
        assert running.wait(300) == 0
        alike += (place / name).read_bytes() == (place / "whole.safetensors").read_bytes()
    return alike


if __name__ == "__main__":
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps({"kills": 20, "alike": kill_ranks(Path(folder), 20, 1)}))
