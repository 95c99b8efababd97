"""Content: an image is what its bytes say, and nothing of a folder or tar is left out without a word."""

import os
import socket
from pathlib import Path

import numpy as np
import shard_factory as make
import webdataset
from situations import Situation, run, table
from webdataset.tariterators import group_by_keys, tar_file_expander

INFO = ("--info", "--json")
RGB = make.pixels(1, 3, 16).transpose(1, 2, 0)
KINDS = {"jpg": "JPEG", "jpeg": "JPEG", "png": "PNG", "webp": "WEBP", "bmp": "BMP", "tif": "TIFF", "tiff": "TIFF"} | {
    "ppm": "PPM",
    "pgm": "PPM",
}


def encoded(kind: str) -> bytes:
    return make.encode(RGB[..., 0] if kind == "pgm" else RGB, KINDS[kind])


def put(path: str, data: bytes | str = b"") -> None:
    """A file; a string is the format of an image."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_bytes(encoded(data) if isinstance(data, str) else data)


def tree(files: dict[str, bytes | str], *arguments: str, then=lambda: None):
    """Files below d/."""

    def build() -> list[str]:
        for path, data in files.items():
            put(f"d/{path}", data)
        then()
        return ["data", "d", *(arguments or INFO)]

    return build


def tar(members: dict[str, bytes | str], *arguments: str):
    """Members of s.tar; each image has a label."""

    def build() -> list[str]:
        found = [(name, encoded(data) if isinstance(data, str) else data) for name, data in members.items()]
        labels = [(f"{name.rpartition('.')[0]}.cls", b"0") for name, data in members.items() if isinstance(data, str)]
        put("s.tar", make.tar(sorted(found + labels)))
        return ["data", "s.tar", *(arguments or INFO)]

    return build


def written(build):
    """What it becomes in out.tar, read back."""

    def converted() -> list[str]:
        status, _, err = run(*build(), "-o", "out.tar", "-q")
        assert status == 0, err
        return ["data", "out.tar", *INFO]

    return converted


def a_socket() -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind("d/a/s.png")


BASE = {"a/1.png": "png", "b/1.png": "png"}
MIXED = {"a/1.JPEG": "jpg", "a/2.JPEG": "png", "b/1.JPEG": "jpg", "b/2.JPEG": "jpg"}
BMP = {**BASE, "b/2.bmp": "bmp", "b/3.tif": "tif"}

ROWS = [
    Situation("a PNG named .JPEG", tree(MIXED), report={"parts.0.n": 4, "parts.0.formats": {"jpg": 3, "png": 1}}),
    Situation(
        "a PNG named .jpg in a tar",
        tar({"1.jpg": "png", "2.jpg": "jpg"}),
        report={"parts.0.formats": {"jpg": 1, "png": 1}},
    ),
    Situation(
        "two formats in a tar", tar({"1.jpg": "jpg", "2.bmp": "bmp"}), report={"parts.0.formats": {"jpg": 1, "bmp": 1}}
    ),
    Situation(
        "all of them are verified",
        tar({"1.jpg": "jpg", "2.bmp": "bmp", "3.TIF": "tif"}, "--verify"),
        report={"parts.0.good": 3},
    ),
    Situation(
        "a GIF named .png", tree({**BASE, "a/2.png": make.encode(RGB, "GIF")}), refused="d/a/2.png: a GIF image, which"
    ),
    Situation("a page named .jpg", tree({**BASE, "a/2.jpg": b"<html>"}), refused="d/a/2.jpg: .*looks like an HTML"),
    Situation("an empty file", tree({**BASE, "a/2.JPEG": b""}), refused="d/a/2.JPEG: .*an empty file"),
    Situation(
        "16 bits",
        tree({**BASE, "a/2.tiff": make.encode(np.zeros((4, 4), np.uint16), "TIFF")}),
        refused="d/a/2.tiff: tif image is not 8-bit",
    ),
    Situation(
        "all extensions of torchvision",
        tree({f"a/{kind}.{kind.upper()}": kind for kind in KINDS}),
        report={"parts.0.n": 9},
    ),
    Situation(
        "bmp and tif beside png", tree(BMP), report={"parts.0.n": 4, "parts.0.formats": {"png": 2, "bmp": 1, "tif": 1}}
    ),
    Situation(
        "other files",
        tree({**BASE, "a/x.txt": b"", "b/y.TXT": b"", "b/z": b"", "b/t.gif": b""}),
        report={"parts.0.n": 2},
        says="4 files are no images: 2 .txt, 1 .gif, 1 without extension",
    ),
    Situation(
        "an image in no class folder",
        tree({**BASE, "x.png": "png"}),
        report={"parts.0.n": 2},
        says="1 image lies in no class folder .x.png",
    ),
    Situation(
        "hidden things",
        tree(
            {
                **BASE,
                "a/.ipynb_checkpoints/1.png": "png",
                ".git/x.png": "png",
                "a/Thumbs.db": b"",
                "a/._1.png": b"",
                "__MACOSX/a/1.png": "png",
                "b/.DS_Store": b"",
                "desktop.ini": b"",
                "$RECYCLE.BIN/x/1.png": "png",
            }
        ),
        report={"parts.0.n": 2, "parts.0.classes": ["a", "b"]},
    ),
    Situation(
        "hidden members",
        tar(
            {
                "a/1.png": "png",
                "a/._1.png": b"x",
                "__MACOSX/a/._1.png": b"x",
                "a/.ipynb_checkpoints/2.png": "png",
                ".DS_Store": b"",
            }
        ),
        report={"parts.0.n": 1},
    ),
    Situation(
        "a linked folder",
        tree(BASE, then=lambda: (put("real/1.png", "png"), os.symlink("../../real", "d/a/more"))),
        report={"parts.0.class_counts": [2, 1]},
    ),
    Situation(
        "a linked class and image",
        tree(
            BASE,
            then=lambda: (put("c/1.png", "png"), os.symlink("../c", "d/c"), os.symlink("../../c/1.png", "d/a/2.png")),
        ),
        report={"parts.0.class_counts": [2, 1, 1]},
    ),
    Situation("a link back", tree(BASE, then=lambda: os.symlink("..", "d/a/up")), refused="d/a/up: a link back"),
    Situation(
        "links in a circle",
        tree(BASE, then=lambda: (os.symlink("../b", "d/a/b"), os.symlink("../a", "d/b/a"))),
        refused="d/a/b/a: a link back",
    ),
    Situation(
        "a link to itself", tree(BASE, then=lambda: os.symlink("l.png", "d/a/l.png")), refused="d/a/l.png: cannot read"
    ),
    Situation(
        "a link to nothing",
        tree(BASE, then=lambda: os.symlink("no", "d/a/2.PNG")),
        refused="d/a/2.PNG: a link to nothing",
    ),
    Situation(
        "a class that links to nothing",
        tree(BASE, then=lambda: os.symlink("no", "d/c")),
        refused="d/c: a link to nothing",
    ),
    Situation("a named pipe", tree(BASE, then=lambda: os.mkfifo("d/a/2.png")), refused="d/a/2.png: a named pipe"),
    Situation(
        "a named pipe among shards",
        lambda: os.mkdir("d") or os.mkfifo("d/0.tar") or ["data", "d", *INFO],
        refused="d/0.tar: a named pipe",
    ),
    Situation("a socket", tree(BASE, then=a_socket), refused="d/a/s.png: a socket"),
    Situation(
        "a device behind a link",
        tree(BASE, then=lambda: os.symlink("/dev/null", "d/a/n.png")),
        refused="d/a/n.png: a device",
    ),
    Situation("a class without an image", tree({**BASE, "c/x.gif": b""}), refused="d/c: class folder without an image"),
    Situation(
        "a class whose name is a reserved one",
        written(tree({"__x__/1.png": "png", "b/1.png": "png"}, "-n", "9")),
        report={"parts.0.n": 2},
    ),
]


@table(ROWS)
def test_row(row, tmp_path):
    row.check(tmp_path)


def converted(tmp_path, monkeypatch, build, *arguments) -> tuple[list, str]:
    """(the samples that ``advtool data`` writes, what it says)."""
    monkeypatch.chdir(tmp_path)
    status, _, err = run(*build(), *arguments, "-o", "out.tar")
    assert status == 0, err
    return make.read((tmp_path / "out.tar").read_bytes()), err


def test_a_png_among_jpegs_keeps_its_bytes(tmp_path, monkeypatch):
    samples, err = converted(tmp_path, monkeypatch, tree(MIXED, "-n", "9"))
    assert {sample.key: sample.members["jpg"] for sample in samples} == {
        path.removesuffix(".JPEG"): encoded(kind) for path, kind in MIXED.items()
    }
    assert "1 of 4 images is named .jpg like the others, bytes and format kept: 1 PNG" in err


def test_what_shards_do_not_hold_becomes_png_without_loss(tmp_path, monkeypatch):
    samples, err = converted(tmp_path, monkeypatch, tree(BMP, "-n", "9"))
    assert {sample.key for sample in samples} == {"a/1", "b/1", "b/2", "b/3"}
    for sample in samples:
        np.testing.assert_array_equal(sample.pixels(), RGB.transpose(2, 0, 1))
        assert sample.members["png"].startswith(b"\x89PNG")
    assert "2 of 4 images are encoded anew as PNG, without loss: 1 BMP, 1 TIF, which shards do not hold" in err


def test_members_of_two_formats_become_one_extension(tmp_path, monkeypatch):
    samples, err = converted(tmp_path, monkeypatch, tar({"1.jpg": "jpg", "2.bmp": "bmp", "3.png": "png"}, "-n", "9"))
    assert [sample.extension for sample in samples] == ["jpg"] * 3
    assert samples[2].members["jpg"] == encoded("png")
    assert "1 BMP" in err and "2 PNG" in err


def test_relabel_writes_what_shards_hold(tmp_path, monkeypatch):
    samples, err = converted(tmp_path, monkeypatch, lambda: ["relabel", "--data", *tree(BMP)()[1:2], "--shift", "1"])
    assert {sample.members["png"][:4] for sample in samples} == {b"\x89PNG"} and "1 BMP" in err


def by_webdataset(path: Path) -> list[dict]:
    with open(path, "rb") as file:
        return list(group_by_keys(tar_file_expander([{"url": str(path), "stream": file}])))


def test_others_read_the_kept_bytes(tmp_path, monkeypatch):
    """webdataset and Hugging Face go by content, as we do."""
    converted(tmp_path, monkeypatch, tree(MIXED, "-n", "9"))
    decode = webdataset.autodecode.imagehandler("rgb8")
    found = [sample["jpg"] for sample in by_webdataset(Path("out.tar")) if "jpg" in sample]
    assert [decode("jpg", data).shape for data in found] == [(16, 16, 3)] * 4


def test_permission(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    build = tree(BASE)
    arguments = build()
    opened = os.open
    monkeypatch.setattr(os, "open", lambda path, *rest: refuse() if str(path).endswith(".png") else opened(path, *rest))
    status, _, err = run(*arguments)
    assert status == 1 and "d/a/1.png: cannot open (Permission denied)" in err


def refuse() -> int:
    raise PermissionError(13, "Permission denied")
