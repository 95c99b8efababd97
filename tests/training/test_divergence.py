"""Training that comes to NaN stops at once, says where, and leaves the last good epoch."""

import contextlib
import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from in_process import run

from advtool.io import checkpoints, streams
from advtool.training import loop

SMALL = ["--data", "digits", "-n", "200", "--arch", "mlp", "--hidden", "8", "--batch-size", "50", "-q"]
ADVERSARY = ["--adv", "linf", "--eps", "0.1"]
OBJECTIVES = {
    "standard": [],
    "pgd": [*ADVERSARY, "--steps", "1"],
    "joint": [*ADVERSARY, "--steps", "1", "--lam", "2"],
    "trades": [*ADVERSARY, "--steps", "1", "--objective", "trades"],
    "mart": [*ADVERSARY, "--steps", "1", "--objective", "mart"],
    "fast": [*ADVERSARY, "--objective", "fast"],
    "free": [*ADVERSARY, "--objective", "free", "--replays", "1"],
    "bfloat16": ["--amp"],
    "average": ["--ema"],
}


@pytest.fixture
def poisoned(monkeypatch):
    """From a step on (counted from 1 over all epochs) the loss of every objective is not finite."""
    real = loop.objective

    def poison(at: int, value: float) -> None:
        def objective(model, config, *more):
            made, steps = real(model, config, *more), 0
            outcome = made.outcome

            def bad(batch):
                nonlocal steps
                steps += 1
                found = outcome(batch)
                return replace(found, loss=found.loss * value) if steps >= at else found

            made.outcome = bad
            return made

        monkeypatch.setattr(loop, "objective", objective)

    return poison


def train(*options: str) -> tuple[int, str]:
    status, out, err = run("train", *SMALL, *options)
    assert out == ""
    (line,) = err.splitlines()
    return status, line.removeprefix("advtool: error: ")


@pytest.mark.parametrize("options", OBJECTIVES.values(), ids=OBJECTIVES)
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_the_last_good_epoch_is_kept(tmp_path, poisoned, options, value):
    with contextlib.chdir(tmp_path):
        poisoned(4 * 2 + 3, value)
        status, line = train(*options, "--epochs", "4", "-o", "m.safetensors")
        what = "NaN" if math.isnan(value) else "infinite"
        assert status == 1
        assert line == (
            f"training diverged in epoch 3, step 3: the loss is {what}; m.safetensors holds epoch 2;"
            " try a lower learning rate"
        )
        file = checkpoints.read(streams.open_path("m.safetensors"))
        state = checkpoints.read(streams.open_path("m.safetensors.state"))
    assert len(file.meta["history"]) == 2 and file.meta["training"]["epochs_done"] == 2
    kept = "kept" if any(name.startswith("kept/") for name in state.tensors) else "model"
    assert all(value.isfinite().all() for value in file.tensors.values())
    assert all(torch.equal(state.tensors[f"{kept}/{name}"], value) for name, value in file.tensors.items())
    assert json.dumps(state.meta["history"]) == json.dumps(file.meta["history"])


def test_before_the_first_epoch_is_done_nothing_is_written(tmp_path, poisoned):
    with contextlib.chdir(tmp_path):
        poisoned(2, math.nan)
        status, line = train("--epochs", "4", "-o", "m.safetensors")
    assert (status, line) == (
        1,
        "training diverged in epoch 1, step 2: the loss is NaN; nothing is written; try a lower learning rate",
    )
    assert not [*tmp_path.iterdir()]


def test_weights_after_the_last_step_are_looked_at_too(tmp_path, monkeypatch):
    """The last step of an epoch has no loss behind it."""
    descend, done = loop.Trainer._descend, []

    def overflow(trainer, *arguments):
        descend(trainer, *arguments)
        done.append(1)
        if len(done) == 8:
            next(trainer.model.parameters()).data[0] = math.inf

    monkeypatch.setattr(loop.Trainer, "_descend", overflow)
    with contextlib.chdir(tmp_path):
        status, line = train("--epochs", "2", "-o", "m.safetensors")
        assert status == 1 and line.startswith("training diverged in epoch 2, step 4: 1.weight is not finite; m.saf")
        assert run("eval", "--ckpt", "m.safetensors", "--data", "digits", "--json", "-q")[0] == 0


def test_a_run_does_not_go_on_with_other_images_of_the_same_name(tmp_path, poisoned, monkeypatch):
    monkeypatch.chdir(tmp_path)
    images, labels = np.random.default_rng(0).random((200, 1, 8, 8)).astype(np.float32), np.arange(200) % 10
    options = ["train", "--data", "d.npz", *SMALL[2:], "--epochs", "3", "-o", "m.safetensors"]
    np.savez("d.npz", images=images, labels=labels)
    real = loop.objective
    poisoned(6, math.nan)
    assert run(*options)[0] == 1
    monkeypatch.setattr(loop, "objective", real)
    for other in ({"images": images, "labels": np.roll(labels, 1)}, {"images": images[::-1], "labels": labels}):
        np.savez("d.npz", **other)
        status, _, err = run(*options, "--resume")
        assert status == 1 and "m.safetensors.state: was made with images " in err
    np.savez("d.npz", images=images, labels=labels)
    assert run(*options, "--resume")[0] == 0
