"""Every command that draws takes the same formats, whatever the case of the suffix, and refuses others alike."""

import contextlib
import io
from pathlib import Path

import pytest

from advtool.cli.main import app
from advtool.errors import UsageError

MODEL = ["--ckpt", "model.safetensors"]
ATTACKED = ["--adv", "l2", "--eps", "0.5", "--steps", "2", "--no-checks"]
DRAWING = {
    "theory": ["theory", "gaussian", "--plot"],
    "eval": ["eval", *MODEL, "--data", "set.tar", *ATTACKED, "--plot"],
    "train": ["train", "--data", "set.tar", "--epochs", "1", "--arch", "linear", "-fo", "new.safetensors", "--plot"],
    "explain": ["explain", *MODEL, "--data", "set.tar", "-n", "2", "-fo"],
}
"""Command lines that end where the name of a picture goes."""

BEGINS = {"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A directory with a model and a shard."""
    place = tmp_path_factory.mktemp("figures")
    with contextlib.chdir(place):
        run("train", "--epochs", "0", "--arch", "linear", "-n", "50", "-o", "model.safetensors")
        run("data", "digits", "-n", "20", "-o", "set.tar")
    return place


def run(*arguments: str) -> None:
    """The command, in this very process."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        app([*arguments], prog_name="advtool", standalone_mode=False)


@pytest.mark.parametrize("name", ["x.png", "x.PNG", "x.Pdf", "x.Svg"])
@pytest.mark.parametrize("command", DRAWING)
def test_a_suffix_in_any_case_says_the_format(command, name, folder, monkeypatch):
    monkeypatch.chdir(folder)
    run(*DRAWING[command], name)
    assert Path(name).read_bytes().startswith(BEGINS[name[2:].lower()])
    Path(name).unlink()


@pytest.mark.parametrize("name", ["x.jpg", "x", "png", "x.gif"])
@pytest.mark.parametrize("command", DRAWING)
def test_another_suffix_is_refused_before_any_work_in_the_same_words(command, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where neither model nor data is
    with pytest.raises(UsageError) as caught:
        run(*DRAWING[command], name)
    option = "--out" if command == "explain" else "--plot"
    assert str(caught.value) == f"{option} {name}: must end in .png, .pdf or .svg"
    assert caught.value.exit_code == 2
    assert not list(tmp_path.iterdir())


def test_the_way_from_image_to_image_may_move(folder, monkeypatch):
    monkeypatch.chdir(folder)
    line = ["explain", *MODEL, "--data", "set.tar", "--method", "interpolate", "-n", "1", "--points", "2"]
    run(*line, "--steps", "1", "-o", "x.GIF")
    assert Path("x.GIF").read_bytes().startswith(b"GIF8")
    with pytest.raises(UsageError, match="must end in .png, .pdf, .svg or .gif"):
        run(*line, "-o", "x.jpg")


@pytest.mark.parametrize("command", ["theory", "train"])
def test_the_directory_of_a_picture_has_to_be_there(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="--plot: directory nowhere does not exist"):
        run(*DRAWING[command], "nowhere/x.png")
