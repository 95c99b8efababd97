"""Every way to hold it wrong: exit code, one clear line, no output left behind."""

import io
import pickle
import tarfile

import in_process
import numpy as np
import pytest
from PIL import Image

USAGE, FAILURE = 2, 1


def png(side: int = 8, value: int = 7) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.full((side, side), value, np.uint8)).save(out, "PNG")
    return out.getvalue()


def tar(*members: tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


GOOD = (("a.png", png()), ("a.cls", b"0"), ("b.png", png()), ("b.cls", b"1"))


def assert_fails(process, status: int, *words: str) -> None:
    stderr = process.stderr.decode()
    errors = [line for line in stderr.splitlines() if line.startswith("advtool: error: ")]
    assert process.returncode == status, stderr
    assert len(errors) == 1, stderr
    assert "Traceback" not in stderr
    assert process.stdout == b""
    for word in words:
        assert word in errors[0], errors[0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "--data", "cifar"], ["cifar10"]),
        (["train", "--data", "mnits"], ["mnist"]),
        (["train", "--arch", "resnet-18"], ["resnet18"]),
        (["train", "--adv", "l2", "--eps", "-1"], ["--eps", "negative"]),
        (["train", "--adv", "l2", "--eps", "nan"], ["--eps", "finite"]),
        (["train", "--adv", "l2", "--eps", "inf"], ["--eps", "finite"]),
        (["train", "--adv", "l2", "--eps", "8/0"], ["--eps", "zero"]),
        (["train", "--adv", "l2", "--eps", "half"], ["--eps", "number"]),
        (["train", "--adv", "l2", "--eps", "0.5,1"], ["--eps 0.5,1", "one radius"]),
        (["train", "--adv", "linf", "--eps", "8"], ["8/255"]),
        (["train", "--adv", "l3", "--eps", "1"], ["l2"]),
        (["train", "--eps", "0.5"], ["--adv"]),
        (["train", "--adv", "l2"], ["--eps"]),
        (["eval", "--adv", "linf"], ["--eps"]),
        (["eval"], ["--ckpt"]),
        (["train", "--optimizer", "adm"], ["adam"]),
        (["train", "--epochs", "-1"], ["--epochs"]),
        (["train", "--epochs", "2", "--lr-drops", "5"], ["--lr-drops"]),
        (["train", "--width", "2", "--arch", "linear"], ["--width"]),
        (["train", "--device", "quantum"], ["--device"]),
        (["train", "--resume"], ["-o"]),
        (["train", "--json"], ["-o"]),
        (["train", "--data", "s3://bucket/x.tar"], ["pipe"]),
        (["train", "--data", "pipe:cat x.tar"], ["pipe"]),
        (["train", "--data", "nowhere/x.tar"], ["no such file"]),
        (["data", "{a,b.tar"], ["unbalanced"]),
        (["trian"], ["train"]),
        (["train", "--ep", "1"], ["--ep"]),
        (["train", "--epochs"], ["--epochs: needs a value"]),
        (["train", "-seed", "1"], ["--seed"]),
        (["--verson"], ["--version"]),
        (["train", "digits"], ["--data digits"]),
        (["relabel", "m.safetensors"], ["--predict m.safetensors"]),
        (["distill", "-"], ["--data -"]),
        (["explain", "pgd"], ["advtool explain --help"]),
        (["theory", "gaussian", "3"], ["advtool theory gaussian --help"]),
        (["data", "digits", "mnist"], ["'mnist'", "one SOURCE"]),
        (["help", "trian"], ["train"]),
        (["train", "help"], ["advtool train --help"]),
        (["data", "digits", "--split", "validation"], ["validation", "train, test"]),
        (["data", "digits", "--info", "--verify"], ["exclude"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_usage_errors(advtool, tmp_path, arguments, words):
    assert_fails(advtool(*arguments), USAGE, *words)
    assert not list(tmp_path.iterdir())


def test_a_dataset_that_is_not_on_disk_names_the_path_and_the_way_out(advtool, tmp_path):
    process = advtool("train", "--data", "cifar10", "--data-root", tmp_path)
    assert_fails(process, FAILURE, str(tmp_path / "cifar-10-batches-py"), "--download", "ADVTOOL_DATA")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (tar(*GOOD), ["tar", "checkpoint"]),
        (pickle.dumps({"state_dict": 1}), ["pickle"]),
        (b"PK\x03\x04" + bytes(600), ["PyTorch"]),
        (b"<!DOCTYPE html><html><body>404</body></html>", ["HTML"]),
        (b"", ["empty"]),
        (b"\x00" * 100, ["unknown binary"]),
    ],
    ids=["tar", "pickle", "pt", "html", "empty", "zeros"],
)
def test_a_checkpoint_that_is_something_else(advtool, tmp_path, content, words):
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    assert_fails(advtool("eval", "--ckpt", path), FAILURE, str(path), *words)
    assert_fails(advtool("train", "--init", path, "-o", tmp_path / "out"), FAILURE, str(path), *words)
    assert not (tmp_path / "out").exists()


def test_a_truncated_checkpoint(advtool, tmp_path, checkpoint):
    whole = checkpoint.read_bytes()
    path = tmp_path / "x.safetensors"
    for size in (100, len(whole) - 1):
        path.write_bytes(whole[:size])
        assert_fails(advtool("eval", "--ckpt", path), FAILURE, "cut short", str(size))


def test_a_checkpoint_of_another_architecture(advtool, tmp_path, checkpoint):
    process = advtool("train", "--init", checkpoint, "--arch", "cnn-small", "-o", tmp_path / "out")
    assert_fails(process, USAGE, "mlp", "cnn-small")
    path = tmp_path / "renamed.safetensors"
    path.write_bytes(checkpoint.read_bytes().replace(rb"\"arch\": \"mlp\"", rb"\"arch\": \"cnn\""))
    assert path.read_bytes() != checkpoint.read_bytes()
    assert_fails(advtool("eval", "--ckpt", path), FAILURE, "cnn")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (tar(*GOOD)[:700], ["byte 700", "'a.png'"]),
        (tar(*GOOD)[:2048], ["byte 2048", "end-of-archive"]),
        (tar(("a.png", png()[:60]), ("a.cls", b"0")), ["'a'", "corrupt png"]),
        (tar(("a.png", b"not an image"), ("a.cls", b"0")), ["'a'", "corrupt image: looks like plain text"]),
        (tar(("a.png", png())), ["'a'", ".cls"]),
        (tar(("a.cls", b"0")), ["'a'", "no image"]),
        (tar(("a.png", png()), ("a.cls", b"cat")), ["'a'", "'cat'"]),
        (tar(*GOOD, ("c.png", png(9)), ("c.cls", b"1")), ["'c'", "1×9×9", "1×8×8"]),
        (tar(*GOOD, ("a.png", png()), ("a.cls", b"0")), ["'a'", "duplicate"]),
        (tar(), ["no samples"]),
        (b"", ["empty"]),
        (b"<html></html>", ["HTML", "tar"]),
    ],
    ids=["in a member", "between", "cut image", "no image data", "no cls", "no image", "label", "shapes", "keys"]
    + ["no samples", "no bytes", "html"],
)
def test_broken_shards(advtool, tmp_path, content, words):
    path = tmp_path / "x.tar"
    path.write_bytes(content)
    assert_fails(advtool("train", "--data", path, "--epochs", "1", "-o", tmp_path / "m"), FAILURE, "x.tar", *words)
    assert_fails(advtool("train", "--epochs", "1", "-o", tmp_path / "m", stdin=content), FAILURE, "stdin", *words)
    verified = advtool("data", path, "--verify", "--json")
    assert verified.returncode == FAILURE
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.tar"]


def test_data_that_does_not_fit_the_checkpoint(advtool, checkpoint):
    larger = tar(("a.png", png(9)), ("a.cls", b"0"))
    assert_fails(advtool("eval", "--ckpt", checkpoint, stdin=larger), FAILURE, "1×9×9", "1×8×8", "digits")
    more = tar(("a.png", png()), ("a.cls", b"10"))
    assert_fails(advtool("eval", "--ckpt", checkpoint, stdin=more), FAILURE, "11 classes", "10")
    assert_fails(advtool("train", "--init", checkpoint, stdin=larger), FAILURE, "1×9×9", "1×8×8")


def test_an_output_that_exists(advtool, tmp_path):
    existing = tmp_path / "m.safetensors"
    existing.write_bytes(b"precious")
    assert_fails(advtool("train", "-o", existing), USAGE, "exists", "-f")
    assert_fails(advtool("data", "-o", existing), USAGE, "exists", "-f")
    assert existing.read_bytes() == b"precious"


def test_an_output_directory_that_is_missing_or_not_writable(advtool, tmp_path):
    assert_fails(advtool("train", "-o", tmp_path / "nowhere" / "m"), USAGE, "nowhere", "does not exist")
    assert_fails(advtool("data", "-o", tmp_path / "nowhere" / "m"), USAGE, "nowhere", "does not exist")
    assert_fails(advtool("train", "-o", "/sys/m.safetensors"), USAGE, "/sys", "not writable")


def test_a_full_disk_gives_one_line(advtool):
    assert_fails(advtool("data", "-o", "/dev/full"), FAILURE, "/dev/full", "No space left")
    assert_fails(advtool("train", "--epochs", "0", "-o", "/dev/full", "-q"), FAILURE, "/dev/full", "No space left")


def test_an_upstream_stage_that_dies(shell, tmp_path):
    process = shell("(advtool data | head -c 300000; exit 1) | advtool train --epochs 1 -o m.safetensors")
    assert process.returncode == FAILURE
    assert b"died or was cut off" in process.stderr
    process = shell("advtool train --arch nonsense | advtool eval --json")
    assert process.returncode == FAILURE
    assert b"the stage before this one wrote nothing" in process.stderr
    assert process.stdout == b""
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("words", [[], ["train"], ["theory"], ["theory", "gaussian"]])
def test_help_before_a_command_is_help_of_it(words):
    expected = in_process.run(*words, "--help")
    assert in_process.run("help", *words) == expected and "Usage: advtool" in expected[1]
    assert in_process.run(*words[:1], "help", *words[1:])[1] == expected[1] or words == ["train"]
