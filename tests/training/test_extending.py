"""``train --resume`` with more epochs goes on from a finished or an interrupted run, or says why it cannot."""

import json
from pathlib import Path

import pytest
import torch

from advtool.data.sources import resolve
from advtool.errors import AdvtoolError
from advtool.io import checkpoints, streams
from advtool.training.options import Training
from advtool.training.run import TrainingRun
from advtool.training.schedule import factor
from advtool.training.state import StateFile, longer

SMALL = ["train", "--arch", "mlp", "--hidden", "8", "-n", "200", "--batch-size", "64", "-o", "m.safetensors"]
STEP = ["--schedule", "step", "--lr-drops"]


def meta(path: Path) -> dict:
    return checkpoints.read(streams.open_path(path)).meta


def stop_after(directory: Path, done: int, *, epochs: int, **wishes) -> None:
    """Leave what a run leaves that is killed after so many epochs."""
    asked = Training(arch="mlp", hidden=(8,), limit=200, batch_size=64, epochs=epochs, **wishes)
    run = TrainingRun(resolve("digits"), asked, torch.device("cpu"))
    file = StateFile(directory / "m.safetensors", {**run.resolved(), "images": run.fingerprint()})
    run.fit(save=lambda state: file.write(state) if len(state.history) == done else None)


@pytest.mark.parametrize(
    "wishes",
    [["--schedule", "constant"], ["--schedule", "step", "--lr-drops", "1", "--optimizer", "sgd", "--ema"]],
    ids=["constant", "step"],
)
def test_a_kept_state_gives_the_bytes_of_the_longer_run(advtool, tmp_path, wishes):
    straight = advtool(*SMALL, *wishes, "--epochs", "5", "-q")
    assert straight.returncode == 0, straight.stderr.decode()
    expected = (tmp_path / "m.safetensors").read_bytes()
    assert advtool(*SMALL, *wishes, "--epochs", "3", "--keep-state", "-qf").returncode == 0
    assert (tmp_path / "m.safetensors.state").exists() and meta(tmp_path / "m.safetensors")["metrics"]
    longer = advtool(*SMALL, *wishes, "--epochs", "5", "--resume")
    assert longer.returncode == 0 and b"resuming after epoch 3\n" in longer.stderr
    assert (tmp_path / "m.safetensors").read_bytes() == expected
    assert not (tmp_path / "m.safetensors.state").exists()


def test_a_finished_run_goes_on_and_says_how(advtool, tmp_path):
    assert advtool(*SMALL, "--epochs", "2", "-q").returncode == 0
    first = meta(tmp_path / "m.safetensors")
    longer = advtool(*SMALL, "--epochs", "4", "--resume", "--json")
    assert longer.returncode == 0, longer.stderr.decode()
    assert b"resuming after epoch 2 of 2" in longer.stderr and b"optimizer begins anew" in longer.stderr
    report, now = json.loads(longer.stdout), meta(tmp_path / "m.safetensors")
    assert [record["epoch"] for record in report["history"]] == [1, 2, 3, 4]
    assert now["history"][:2] == first["history"] and now["training"]["epochs_done"] == 4
    assert now["training"]["extended"] == [{"after": 2, "epochs": 2, "lr_drops": [], "moments": False}]
    again = advtool(*SMALL, "--epochs", "4", "--resume", "--json")
    assert again.returncode == 0 and b"nothing to resume" in again.stderr and b"wrote" not in again.stderr
    assert json.loads(again.stdout) == report
    assert advtool(*SMALL, "--epochs", "5", "--resume", "-q").returncode == 0
    assert [entry["after"] for entry in meta(tmp_path / "m.safetensors")["training"]["extended"]] == [2, 4]


def test_an_interrupted_run_goes_on_for_longer_twice(advtool, tmp_path):
    stop_after(tmp_path, 2, epochs=3, schedule="cosine")
    longer = advtool(*SMALL, "--schedule", "cosine", "--epochs", "6", "--resume", "--keep-state")
    assert longer.returncode == 0 and b"after epoch 2 of 3: the rate is now that of the longer run\n" in longer.stderr
    made = meta(tmp_path / "m.safetensors")
    assert made["training"]["extended"] == [{"after": 2, "epochs": 3, "lr_drops": [], "moments": True}]
    assert len(made["history"]) == 6
    again = advtool(*SMALL, "--schedule", "cosine", "--epochs", "7", "--resume")
    assert again.returncode == 0, again.stderr.decode()
    assert [entry["epochs"] for entry in meta(tmp_path / "m.safetensors")["training"]["extended"]] == [3, 6]


def test_the_rate_goes_on_as_that_of_the_longer_run(tmp_path):
    """Of cosine, by its definition: after 2 of 4 epochs it is half of the peak, of 2 epochs it would be none."""
    asked = {"arch": "linear", "limit": 128, "batch_size": 64, "schedule": "cosine", "optimizer": "sgd", "lr": 0.5}
    states, rates = [], []
    short, longer = (
        TrainingRun(resolve("digits"), Training(epochs=epochs, **asked), torch.device("cpu")) for epochs in (2, 4)
    )
    short.fit(save=states.append)
    file = StateFile(tmp_path / "m", short.resolved())
    file.write(states[-1])
    step = torch.optim.SGD.step

    def watched(optimizer, *arguments):
        rates.append(optimizer.param_groups[0]["lr"])
        return step(optimizer, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.optim.SGD, "step", watched)
        longer.fit(start=StateFile(tmp_path / "m", longer.resolved()).read())
    assert rates == pytest.approx([0.5 * factor("cosine", number, 8) for number in (4, 5, 6, 7)])
    assert rates[0] == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("made", "asked", "status", "message"),
    [
        (["--epochs", "3"], ["--epochs", "2"], 2, b"--epochs 2: fewer than the 3 of the run in m.safetensors"),
        (["--epochs", "2"], ["--epochs", "3", "--lr", "0.5"], 1, b"was made with training.lr"),
        (["--epochs", "2"], ["--epochs", "2", "--arch", "linear"], 1, b"was made with model."),
        ([*STEP, "1", "--epochs", "2"], [*STEP, "2", "--epochs", "2"], 1, b"was made with training.lr_drops"),
        (
            ["--epochs", "2", "--ema"],
            ["--epochs", "3", "--ema"],
            2,
            b"--resume: m.safetensors holds the moving",
        ),
        (["--epochs", "0"], ["--epochs", "3"], 2, b"--resume: m.safetensors holds epoch 0 of 0"),
    ],
    ids=["fewer", "rate", "network", "drops", "average", "none"],
)
def test_what_cannot_go_on_is_refused_in_one_line(advtool, tmp_path, made, asked, status, message):
    small = [word for word in SMALL if word not in ("--hidden", "8")] if "linear" in asked else SMALL
    assert advtool(*SMALL, *made, "-q").returncode == 0
    before = (tmp_path / "m.safetensors").read_bytes()
    if "linear" in asked:
        small = [word for word in small if word not in ("--arch", "mlp")]
    refused = advtool(*small, *asked, "--resume")
    assert (refused.returncode, refused.stderr.count(b"\n")) == (status, 1), refused.stderr.decode()
    assert message in refused.stderr
    assert (tmp_path / "m.safetensors").read_bytes() == before


def test_the_best_epoch_is_gone_on_from_only_if_it_is_the_last(advtool, tmp_path):
    wishes = ["--val", "0.2", "--epochs"]
    assert advtool(*SMALL, *wishes, "2", "-q").returncode == 0
    kept = meta(tmp_path / "m.safetensors")["selected"]["epoch"]
    longer = advtool(*SMALL, *wishes, "3", "--resume")
    assert (longer.returncode, kept) in ((0, 2), (2, 1)), longer.stderr.decode()


def test_trials_go_on_one_by_one(advtool, tmp_path):
    arguments = [*SMALL, "--trials", "2", "--epochs"]
    assert advtool(*arguments, "1", "-q").returncode == 0
    longer = advtool(*arguments, "2", "--resume")
    assert longer.returncode == 0, longer.stderr.decode()
    assert longer.stderr.count(b"resuming after epoch 1 of 1") == 2
    assert [len(meta(tmp_path / f"m-{seed}.safetensors")["history"]) for seed in (0, 1)] == [2, 2]


@pytest.mark.parametrize("said", [5, [5], [{}], [{"after": "x"}], {"after": 1}])
def test_extensions_that_no_run_wrote_are_refused(said):
    run = {"training": {"epochs": 2, "lr_drops": [], "schedule": "constant"}}
    before = {"training": {**run["training"], "extended": said}}
    with pytest.raises(AdvtoolError, match="training.extended is no list"):
        longer(before, run, "m.state", 1)
