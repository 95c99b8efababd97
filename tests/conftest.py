import os
import subprocess
import sys
from pathlib import Path

import hypothesis
import pytest

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported: the tests run side by side
if not os.environ.get("ADVTOOL_TEST_GPU"):
    os.environ["CUDA_VISIBLE_DEVICES"] = ""  # bytes are compared, and GPUs compute in bfloat16

import forked
from tests_support import REPOSITORY, environment

hypothesis.settings.register_profile("same", derandomize=True)  # a commit passes or fails, always
hypothesis.settings.register_profile("new", print_blob=True)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))


@pytest.fixture
def advtool(tmp_path):
    """Run the real command on files in a fresh directory; returns the finished process, output as bytes."""

    def run(*arguments, stdin: bytes | None = None, cwd: Path = tmp_path, timeout: float = 120, **env: str):
        return forked.run([*map(str, arguments)], cwd, environment(**env), stdin, timeout)

    return run


@pytest.fixture
def shell(tmp_path):
    """Run a bash line in which `advtool` is the real command; pipes fail as their first failing stage."""

    def run(line: str, timeout: float = 120):
        script = f'advtool() {{ "{sys.executable}" -m advtool "$@"; }}\nset -o pipefail\n{line}'
        return subprocess.run(
            ["bash", "-c", script],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            cwd=tmp_path,
            env=environment(),
            timeout=timeout,
        )

    return run


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory) -> Path:
    """A small model of the digits, trained for one epoch."""
    path = tmp_path_factory.mktemp("checkpoint") / "digits.safetensors"
    arguments = ["train", "--epochs", "1", "--arch", "mlp", "--hidden", "32", "-o", str(path), "-q"]
    forked.run(arguments, path.parent, environment(), None, 120).check_returncode()
    return path


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real datasets beside the checkout; tests that want it skip without it."""
    path = REPOSITORY.parent / "shared" / "data"
    if not path.is_dir():
        pytest.skip("no ../shared/data here")
    return path
