"""Ctrl-C, resuming, and what is left on disk."""

import signal
import subprocess
import time
from pathlib import Path

import pytest
from tests_support import COMMAND, environment

LONG = ["train", "--epochs", "1000", "-n", "128", "--arch", "mlp", "--hidden", "64", "-q"]
SHORT = ["train", "--epochs", "6", "--arch", "mlp", "--hidden", "64", "--adv", "linf", "--eps", "0.1", "--steps", "3"]


@pytest.fixture
def start(tmp_path):
    """Start the real command in a fresh directory; whatever still runs at the end is killed."""
    running = []

    def run(*arguments: str) -> subprocess.Popen:
        process = subprocess.Popen(
            [*COMMAND, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=tmp_path,
            env=environment(),
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a background job ignores it
        )
        running.append(process)
        return process

    yield run
    for process in running:
        process.kill()
        process.wait()


def wait_for(path: Path, process: subprocess.Popen) -> None:
    for _ in range(2400):
        if path.exists() or process.poll() is not None:
            break
        time.sleep(0.05)
    assert path.exists()


def wait_for_libraries(process: subprocess.Popen) -> None:
    """Until the process has begun to load torch; before, Python itself may still be starting on a busy machine."""
    maps = Path(f"/proc/{process.pid}/maps")
    if not maps.exists():
        pytest.skip("needs /proc to see what a process has loaded")
    while "libtorch" not in maps.read_text():
        time.sleep(0.01)


def test_ctrl_c_leaves_the_last_epochs_checkpoint(tmp_path, advtool, start):
    process = start(*LONG, "-o", "m.safetensors")
    wait_for(tmp_path / "m.safetensors.state", process)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"Traceback" not in stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.safetensors", "m.safetensors.state"]
    assert advtool("eval", "--ckpt", "m.safetensors").returncode == 0


@pytest.mark.parametrize("seconds", [0, 0.2, 0.5])
def test_ctrl_c_while_libraries_are_imported(tmp_path, start, seconds):
    process = start(*LONG, "-o", "m.safetensors")
    wait_for_libraries(process)
    time.sleep(seconds)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130 and stderr == b""


def test_ctrl_c_before_the_first_epoch_leaves_nothing(tmp_path, start):
    process = start(*LONG, "--batch-size", "1", "-o", "m.safetensors", "--adv", "l2", "--eps", "1", "--steps", "500")
    wait_for_libraries(process)
    time.sleep(4)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "how",
    [
        pytest.param(signal.SIGINT, marks=pytest.mark.slow),
        signal.SIGKILL,
        pytest.param(signal.SIGTERM, marks=pytest.mark.slow),
    ],
)
def test_an_interrupted_run_resumes_to_the_same_bytes(tmp_path, advtool, start, how):
    assert advtool(*SHORT, "-o", "straight.safetensors").returncode == 0
    process = start(*SHORT, "-o", "m.safetensors")
    wait_for(tmp_path / "m.safetensors.state", process)
    process.send_signal(how)
    process.communicate(timeout=60)
    assert process.returncode in (130, 143, -9)
    assert (tmp_path / "m.safetensors.state").exists()
    resumed = advtool(*SHORT, "-o", "m.safetensors", "--resume")
    assert resumed.returncode == 0, resumed.stderr.decode()
    assert b"resuming after epoch" in resumed.stderr
    assert (tmp_path / "m.safetensors").read_bytes() == (tmp_path / "straight.safetensors").read_bytes()
    assert not (tmp_path / "m.safetensors.state").exists()
    again = advtool(*SHORT, "-o", "m.safetensors", "--resume")
    assert again.returncode == 0 and b"nothing to resume" in again.stderr


def test_a_state_of_another_run_is_refused(tmp_path, advtool, start):
    process = start(*LONG, "-o", "m.safetensors")
    wait_for(tmp_path / "m.safetensors.state", process)
    process.kill()
    process.communicate(timeout=60)
    refused = advtool(*LONG, "-o", "m.safetensors", "--resume", "--lr", "0.5")
    assert refused.returncode == 1
    assert b"training.lr 0.002" in refused.stderr or b"training.lr 0.005" in refused.stderr
