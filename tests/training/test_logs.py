"""``train --log``: each epoch as a line and as scalars, which the programs that they are for read."""

import json
import warnings
from pathlib import Path

import pytest

from advtool.io import checkpoints, streams
from advtool.training.schedule import factor

SMALL = ["train", "--arch", "mlp", "--hidden", "8", "-n", "256", "--batch-size", "64", "--log", "log"]


def lines(directory: Path) -> list[dict]:
    return [json.loads(line) for line in (directory / "log" / "train.jsonl").read_text().splitlines()]


def scalars(directory: Path) -> dict[str, dict[int, float]]:
    """name → epoch → value, as TensorBoard itself reads them."""
    pytest.importorskip("tensorboard")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        found = EventAccumulator(str(directory / "log"))
        found.Reload()
    return {name: {event.step: event.value for event in found.Scalars(name)} for name in found.Tags()["scalars"]}


def test_lines_and_scalars_say_what_the_checkpoint_says(advtool, tmp_path):
    wishes = ["--epochs", "3", "--val", "0.25", "--adv", "l2", "--eps", "0.5", "--steps", "2"]
    done = advtool(*SMALL, *wishes, "--schedule", "cosine", "--lr", "0.01", "--json", "-o", "m.safetensors")
    assert done.returncode == 0, done.stderr.decode()
    meta = checkpoints.read(streams.open_path(tmp_path / "m.safetensors")).meta
    history, steps = meta["history"], -(-meta["data"]["n"] // 64)
    written, report = lines(tmp_path), json.loads(done.stdout)
    assert [{k: v for k, v in line.items() if k not in ("lr", "seconds")} for line in written] == history
    rates = [0.01 * factor("cosine", epoch * steps - 1, 3 * steps) for epoch in (1, 2, 3)]
    assert [line["lr"] for line in written] == pytest.approx(rates)
    assert 0 < written[0]["seconds"] < written[1]["seconds"] < written[2]["seconds"]
    found = scalars(tmp_path)
    assert found["lr"] == pytest.approx(dict(zip((1, 2, 3), rates, strict=True)))
    assert found["train/loss"] == pytest.approx({record["epoch"]: record["loss"] for record in history})
    robust = {record["epoch"]: record["validation"]["adversarial_accuracy"] for record in history}
    assert found["validation/adversarial_accuracy"] == pytest.approx(robust)
    assert found["test/clean_accuracy"] == pytest.approx({3: report["clean"]["accuracy"]})
    assert found["test/l2_0.5_accuracy"] == pytest.approx({3: report["adversarial"][0]["accuracy"]})


def test_a_longer_run_goes_on_in_its_log(advtool, tmp_path):
    assert advtool(*SMALL, "--epochs", "2", "-o", "m.safetensors").returncode == 0
    first = lines(tmp_path)
    with (tmp_path / "log" / "train.jsonl").open("a") as file:
        file.write(json.dumps({**first[-1], "epoch": 3}) + "\n")  # of a run that was killed before it wrote its state
    longer = advtool(*SMALL, "--epochs", "4", "--resume", "-o", "m.safetensors")
    assert longer.returncode == 0, longer.stderr.decode()
    assert [line["epoch"] for line in lines(tmp_path)] == [1, 2, 3, 4] and lines(tmp_path)[:2] == first
    assert scalars(tmp_path)["train/loss"].keys() == {1, 2, 3, 4}


def test_a_log_is_not_overwritten_and_changes_no_byte(advtool, tmp_path):
    assert advtool(*SMALL, "--epochs", "1", "-o", "m.safetensors").returncode == 0
    refused = advtool(*SMALL, "--epochs", "1", "-o", "n.safetensors")
    assert refused.returncode == 2 and b"--log log: log/train.jsonl exists; -f begins it anew" in refused.stderr
    assert advtool(*SMALL, "--epochs", "1", "-f", "-o", "n.safetensors").returncode == 0
    assert len(lines(tmp_path)) == 1
    assert advtool(*SMALL[:-2], "--epochs", "1", "-o", "o.safetensors").returncode == 0
    assert len({(tmp_path / f"{name}.safetensors").read_bytes() for name in "mno"}) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["--trials", "2"], b"--log: is for one run"), (["--log", "file"], b"--log file: is not a directory")],
)
def test_logs_that_there_cannot_be(advtool, tmp_path, arguments, message):
    (tmp_path / "file").touch()
    line = SMALL if "--log" not in arguments else SMALL[:-2]
    refused = advtool(*line, *arguments)
    assert refused.returncode == 2 and message in refused.stderr and refused.stderr.count(b"\n") == 1
