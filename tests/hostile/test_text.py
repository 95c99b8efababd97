"""Text from outside is shown with nothing hidden in it, wherever that is: one line, no control character, no markup."""

import contextlib
import io
import json
import os
import re
import tarfile
import unicodedata
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import in_process
import numpy as np
import pytest
import situations
from hostile_strings import IN_FILE_NAMES, RAW, STRINGS
from PIL import Image

from advtool.cli import bars, console
from advtool.io import checkpoints
from advtool.io.figures import words
from advtool.visible import bounded, visible


def hidden(shown: str) -> list[str]:
    """The characters of a text, but for its line breaks, that nobody sees."""
    return [c for c in shown if c != "\n" and unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")]


def assert_one_line(err: str, *words: str) -> None:
    (line,) = err.split("\n")[:-1] or [""]
    assert line.startswith("advtool: ") and not hidden(err), ascii(err)
    for word in words:
        assert word in line, ascii(err)


def png() -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.full((8, 8), 7, np.uint8)).save(out, "PNG")
    return out.getvalue()


def shard(path: Path, key: str, members: dict[str, bytes], **head: object) -> Path:
    """A tar of one sample, with a head if there is anything in it."""
    files = {f"{key}.{name}": data for name, data in members.items()}
    if head:
        files = {"__advtool__/head": json.dumps({"schema": 1, **head}).encode(), **files}
    with tarfile.open(path, "w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def good(path: Path, text: str, key: str = "k") -> Path:
    """A tar in whose head the text stands wherever there may be any."""
    told = {"classes": [text, f"{text} 2"], "num_classes": 2, "split": text, "source": text, "history": [text, text]}
    return shard(path, key, {"png": png(), "cls": b"0"}, shape=[1, 8, 8], records=[{"command": text}], **told)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def at_terminal(*arguments: object) -> tuple[int, str, str]:
    """(exit status, stdout, stderr) where stdout is a terminal, so that reports are tables."""
    made = iter([Terminal(), io.StringIO()])
    streams = SimpleNamespace(StringIO=lambda: next(made))
    with mock.patch.object(in_process, "io", streams), mock.patch.dict(os.environ, {"TERM": "dumb"}):
        return situations.run(*arguments)


PLACES: dict[str, Callable[[Path, str], list[object]]] = {
    "a source": lambda here, text: ["data", f"nowhere {text}"],
    "a command": lambda here, text: [f"x{text}"],
    "an option": lambda here, text: ["train", f"--x{text}"],
    "a value": lambda here, text: ["train", "--adv", "l2", "--eps", f"x{text}"],
    "a choice": lambda here, text: ["eval", "--ckpt", "x", "--adv", f"x{text}"],
    "an architecture": lambda here, text: ["train", "--data", "digits", "--arch", f"x{text}", "-o", "x"],
    "a stray word": lambda here, text: ["train", f"x{text}"],
    "a split": lambda here, text: ["data", "digits", "--split", f"x{text}"],
    "a layer": lambda here, text: ["train", "--data", "digits", "--lr-schedule", f"x{text}", "-o", "x"],
    "a folder of -o": lambda here, text: ["data", "digits", "-o", here / f"x{text}" / "y.tar"],
    "a checkpoint": lambda here, text: ["eval", "--data", "digits", "--ckpt", here / f"x{text}"],
    "a figure": lambda here, text: ["theory", "gaussian", "--plot", f"x{text}"],
    "a map": lambda here, text: ["relabel", "--data", "digits", "--map", f"x{text}", "-o", "x"],
    "a class": lambda here, text: [
        "relabel",
        "--data",
        good(here / "a.tar", text),
        "--map",
        listing(here, text),
        "-o",
        "x",
    ],
}


def listing(here: Path, text: str) -> Path:
    path = here / "map.json"
    path.write_text(json.dumps({f"x{text}": [f"none {text}"]}))
    return path


@pytest.mark.parametrize("place", PLACES)
def test_errors_of_what_is_typed_or_named(tmp_path, place):
    for text in STRINGS:
        if "\0" in text:
            continue
        with contextlib.chdir(tmp_path):
            status, out, err = situations.run(*PLACES[place](tmp_path, text))
        assert status in (1, 2) and not out, ascii((text, status, out, err))
        assert_one_line(err)
        if not re.search(r"[:/]", text) and place in (
            "a source",
            "a command",
            "an architecture",
            "a split",
            "a figure",
        ):
            assert visible(text).strip() in err, ascii((text, err))


@pytest.mark.parametrize("text", STRINGS, ids=ascii)
def test_keys_of_samples_and_file_names(tmp_path, text):
    name = f"n{text}.tar" if text in IN_FILE_NAMES else "n.tar"
    key = text.replace("\0", "").replace("/", "").replace(".", "")
    broken = shard(tmp_path / name, f"k{key}", {"png": b"no image", "cls": b"0"})
    status, out, err = situations.run("data", broken, "-o", tmp_path / "x.tar")
    assert status == 1 and not out
    assert_one_line(err, visible(name), visible(key))
    unlabelled = shard(tmp_path / name, f"k{key}", {"png": png(), "cls": text.encode(errors="surrogateescape")})
    status, _, err = situations.run("data", unlabelled, "-o", tmp_path / "x.tar")
    assert status == 1
    assert_one_line(err, visible(key))


@pytest.mark.parametrize("text", [*STRINGS, *RAW], ids=ascii)
def test_reports_and_what_is_passed_on(tmp_path, text):
    path = good(tmp_path / "a.tar", text)
    for words_ in (["data", path, "--info"], ["data", path, "--verify"]):
        status, out, err = at_terminal(*words_)
        assert status == 0 and not err and not hidden(out), ascii((out, err))
        if "--info" in words_ and len(text) < 20:
            assert f"classes: {visible(text)}, {visible(text)} 2\n" in out and f"origin:  {visible(text)}\n" in out
            assert f"made by: {visible(text)}\n" in out
    name = tmp_path / (f"o{text}.tar" if text in IN_FILE_NAMES else "o.tar")
    status, out, err = situations.run("relabel", "--data", path, "--shift", "1", "-o", name)
    assert status == 0 and not out
    assert_one_line(err, visible(str(name)))
    status, out, err = situations.run("data", name, "--info", "--json")
    (part,) = json.loads(out)["parts"]
    assert status == 0 and out.isascii() and out.count("\n") == 1
    assert part["classes"][0] == text and part["origin"] == text and part["source"] == str(name)


@pytest.mark.parametrize("text", [*STRINGS, *RAW], ids=ascii)
def test_metadata_of_checkpoints(tmp_path, text):
    path = tmp_path / "m.safetensors"
    told = {"arch": text, "arch_options": {text: text}, "shape": [1, 8, 8], "classes": [text], "normalize": None}
    path.write_bytes(checkpoints.to_bytes({}, told))
    status, out, err = situations.run("eval", "--data", "digits", "--ckpt", path)
    assert status in (1, 2) and not out
    assert_one_line(err)


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_pictures(tmp_path, kind):
    for text in [*STRINGS, *RAW]:
        path = good(tmp_path / "a.tar", text)
        out = tmp_path / f"x.{kind}"
        status, _, err = situations.run(
            *(
                "explain",
                "--method",
                "samples",
                "--data",
                path,
                "--names",
                "n" + text.replace(",", ""),
                "-o",
                out,
                "-f",
                "-q",
            )
        )
        assert status == 0, ascii((text, err))
        if kind == "svg":
            shown = out.read_text("utf-8")
            assert not [c for c in hidden(shown) if c != "\t"]


def test_words_of_figures_are_no_formulas_and_none_is_left_out():
    from matplotlib.figure import Figure

    for text in [*STRINGS, *RAW]:
        figure = Figure()
        axes = figure.add_subplot()
        axes.plot([0, 1], [0, 1], label=words(text))
        axes.set_title(words(text))
        assert len(axes.legend().get_texts()) == 1, ascii(text)
        figure.savefig(io.BytesIO(), format="svg")


def test_bars_and_tables_take_no_markup(monkeypatch):
    for text in [*STRINGS, *RAW]:
        err, out = Terminal(), Terminal()
        monkeypatch.setattr("sys.stderr", err)
        monkeypatch.setattr("sys.stdout", out)
        monkeypatch.setenv("TERM", "dumb")
        with bars.training_bar(2) as advance:
            advance(1, f"before {text}", f"behind {text}")
        console.show_table(f"title {text}", [f"a {text}", "b"], [[text, text]])
        assert f"title {visible(text)}\n" in out.getvalue() and not hidden(out.getvalue())
        if text.strip() and len(visible(text)) < 12 and " " not in text:
            assert out.getvalue().count(visible(text)) == 4, ascii(out.getvalue())


def test_warnings_and_traces(tmp_path):
    for text in STRINGS:
        key = text.replace("\0", "").replace("/", "").replace(".", "")
        path = shard(tmp_path / "a.tar", f"k{key}", {"png": png(), "cls": b"0", f"n{key}": b"x"})
        status, _, err = situations.run("data", path, "-o", tmp_path / "x.tar", "-f")
        assert not hidden(err) and all(line.startswith("advtool: ") for line in err.split("\n")[:-1]), ascii(err)
        status, _, err = situations.run("data", tmp_path / f"none {key}", "-v")
        assert status == 2 and "Traceback" in err and not hidden(err), ascii(err)


def test_what_is_seen_is_left_alone_and_the_rest_is_told_apart():
    for text in ("1×8×8, 5–7 …", "w̃* ≤ ε²", "日本語", "🙂", "a b", "\\x1b", "", "ü"):
        assert visible(text) == text
    assert visible("\x1b\n\x85\u202e\udcff\ud800\U000e0041") == r"\x1b\n\u0085\u202e\xff\ud800\U000e0041"
    assert visible("a\nb\x07", keep="\n") == "a\nb\\x07"
    assert bounded("a" * 99, 99) == "a" * 99 and len(bounded("a" * 100_000 + "end", 2000)) <= 2001
    assert bounded("a" * 100_000 + "end", 2000).endswith("end")


def test_a_line_has_an_end(tmp_path):
    status, _, err = situations.run("data", "x" * 100_000)
    assert status in (1, 2) and len(err) < 2100 and err.count("\n") == 1
