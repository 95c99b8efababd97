"""``advtool plot`` on real reports and checkpoints."""

import io
import json

import pytest
from PIL import Image


@pytest.fixture(scope="module")
def reports(tmp_path_factory, checkpoint):
    """Of two radii and two made-up models."""
    entries = [{"eps": eps, "accuracy": 1 - eps, "ci95": [0.9 - eps, 1.05 - eps]} for eps in (0.1, 0.2, 0.4)]
    path = tmp_path_factory.mktemp("reports") / "r.jsonl"
    lines = [{"checkpoint": {"path": f"{name}.safetensors"}, "adversarial": entries} for name in "ab"]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_a_report_pipes_into_a_figure(shell, tmp_path, checkpoint):
    done = shell(
        f"advtool eval --ckpt {checkpoint} --adv l2 --eps 0.1,0.3 --steps 3 -n 50 --no-checks --json -q |"
        " advtool plot --x eps --y adversarial.accuracy --percent > f.png"
    )
    assert done.returncode == 0, done.stderr.decode()
    assert b"drew 2 points to stdout" in done.stderr
    assert Image.open(io.BytesIO((tmp_path / "f.png").read_bytes())).size == (900, 600)


@pytest.mark.parametrize("suffix", ["png", "pdf", "svg"])
def test_the_same_bytes_in_every_format(advtool, tmp_path, reports, suffix):
    line = ("plot", reports, "--x", "eps", "--y", "accuracy", "--by", "checkpoint.path", "--log-x", "-o")
    for name in ("one", "two"):
        assert advtool(*line, f"{name}.{suffix}").returncode == 0
    assert (tmp_path / f"one.{suffix}").read_bytes() == (tmp_path / f"two.{suffix}").read_bytes()


def test_lines_differ_without_colour_and_what_was_published_is_drawn(advtool, tmp_path, reports):
    (tmp_path / "p.jsonl").write_text('{"eps": 0.2, "accuracy": 0.5, "path": "a.safetensors"}\n')
    line = ("plot", reports, "--x", "eps", "--y", "accuracy", "--by", "checkpoint.path")
    done = advtool(*line, "--published", "p.jsonl", "--x-label", "radius", "-o", "f.svg")
    assert done.returncode == 0, done.stderr
    svg = (tmp_path / "f.svg").read_text()
    for text in ("a", "b", "a, published", "radius", "adversarial.accuracy"):
        assert f"<!-- {text} -->" in svg
    assert "stroke-dasharray" in svg  # the second line is broken


def test_curves_of_several_checkpoints(advtool, tmp_path, checkpoint):
    done = advtool(
        "plot", checkpoint, checkpoint, "--x", "history.epoch", "--y", "history.loss", "-o", "f.png", "--dpi", 50
    )
    assert done.returncode == 0, done.stderr
    assert Image.open(io.BytesIO((tmp_path / "f.png").read_bytes())).size == (300, 200)
    assert b"means of up to 2 values" in done.stderr


def test_training_reports_its_curves(advtool, tmp_path):
    line = ("train", "--epochs", 2, "--arch", "linear", "-n", 50, "-q", "--json", "-o", "m.safetensors")
    (tmp_path / "t.json").write_bytes(advtool(*line).stdout)
    assert advtool("plot", "t.json", "--x", "history.epoch", "--y", "history.loss", "-o", "f.png").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--x", "eps"], 2, "--y: names the field"),
        (["--x", "eps", "--y", "nosuch"], 2, "--y nosuch: no report has this field"),
        (["--x", "eps", "--y", "path"], 1, "nothing to draw"),
        (["--x", "eps", "--y", "accuracy", "-o", "f.gif"], 2, "must end in .png, .pdf or .svg"),
        (["--x", "eps", "--y", "accuracy", "-o", "no/f.png"], 2, "does not exist"),
        (["--x", "eps", "--y", "accuracy", "--dpi", "5"], 2, "at least 20"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_one_line(advtool, reports, arguments, code, says):
    done = advtool("plot", reports, *arguments)
    assert (done.returncode, len(done.stderr.splitlines())) == (code, 1), done.stderr
    assert says in done.stderr.decode()


@pytest.mark.parametrize("content", [b"", b"text", b"\x89PNG\r\n", b"{}\n{"])
def test_files_that_are_no_reports(advtool, tmp_path, content):
    (tmp_path / "f").write_bytes(content)
    done = advtool("plot", "f", "--x", "a", "--y", "b")
    assert done.returncode in (1, 2) and len(done.stderr.splitlines()) == 1, done.stderr
