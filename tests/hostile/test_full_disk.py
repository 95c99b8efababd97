"""A disk that fills up: one line, nothing corrupt, and once there is room the next run goes on."""

import os
import signal
import subprocess

import kills
import pytest

SIZE = 16 << 20
SHARES = (0.02, 0.5, 0.9)
"""Of the room that the whole output needs."""


@pytest.fixture
def disk(tmp_path):
    """A file system of its own."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(place)]
    try:
        mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("no file system can be mounted here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    place = tmp_path_factory.mktemp("model")
    process = kills._start(("train", "--data", "digits", "--epochs", "3", "-q", "-o", kills.MODEL), place)
    process.join()
    return place / kills.MODEL


@pytest.mark.slow
@pytest.mark.parametrize("number", range(7))
def test_a_full_disk(tmp_path, disk, model, number):
    case = kills.cases(model)[number]
    killed = kills.Killed(case, tmp_path / "case")
    needed = sum(map(len, killed.expected.values()))
    for share in SHARES:
        directory = disk / f"at {share}"
        directory.mkdir()
        filler, found = disk / "filler", os.statvfs(disk)
        filler.write_bytes(bytes(max(0, found.f_bavail * found.f_frsize - int(needed * share))))
        process = kills._start(case.arguments, directory, tmp_path / "said")
        process.join(120)
        said = kills._stderr(tmp_path / "said").splitlines()
        left = kills._contents(directory)
        assert process.exitcode == 1 and len(said) == 1, (process.exitcode, said)
        assert said[0].startswith("advtool: error: ") and "cannot write (No space left on device)" in said[0]
        assert not any(name.endswith(".tmp") for name in left)
        visible = {name: data for name, data in left.items() if not os.path.basename(name).startswith(".")}
        assert all(killed._is_sound(name, data) or name.endswith(".jsonl") for name, data in visible.items())
        filler.unlink()
        killed._again(directory, left, signal.SIGKILL, share)
        assert killed.outcome.faults == []
        for path in directory.rglob("*"):
            if path.is_file():
                path.unlink()
