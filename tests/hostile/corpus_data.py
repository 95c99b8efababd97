"""Hostile data that are no shards, and records of runs."""

import json
import os
import struct
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import shard_factory as make
from hostile.corpus import JSON_VALUES, MODEL, Input, Runs, many, put, safetensors_of, sparse

FOLDER = ["data", "evil", "-o", "made.tar"]
ARCHIVE = ["data", "evil.npz", "-o", "made.tar"]
MAP = ["relabel", "--data", "digits", "--map", "evil.json", "-o", "made.tar"]
TABLE = ["relabel", "--data", "digits", "--map", "evil.csv", "-o", "made.tar"]
RECORD = ["eval", "--ckpt", MODEL, "--data", "digits", "-n", "3", "--adv", "l2", "--eps", "0.1", "--steps", "1"]
RECORD += ["--per-sample", "evil.jsonl"]
TRAIN = ["train", "--data", "digits", "-n", "9", "--arch", "linear", "--epochs", "2", "-o", "evil"]


def inputs() -> Iterator[Input]:
    yield from many("H9 arrays", "evil.npz", ARCHIVE, _arrays())
    yield from many("H9 files in folders", "evil", FOLDER, _folders())
    yield from many("label files", "evil", FOLDER, _label_files())
    yield from many("maps", "evil.json", MAP, _maps())
    yield from many("maps in CSV", "evil.csv", TABLE, _tables())
    yield from many("H11 records of samples", "evil.jsonl", RECORD, _records())
    yield from many("H11 states", "evil.state", [*TRAIN, "--resume"], _states())
    yield from many("vectors of theory", "evil", ["theory", "mle", "--variances", "evil.npy"], _vectors())
    yield from many("IDX files", "mnist", ["data", "mnist", "--data-root", "evil", "-o", "made.tar"], _idx())


def _arrays() -> dict[str, Callable[[], None]]:
    def saved(compressed: bool = False, **arrays: Any) -> Callable[[], None]:
        return lambda: (np.savez_compressed if compressed else np.savez)("evil.npz", **arrays)

    images, labels = np.zeros((3, 8, 8), np.uint8), np.zeros(3, int)

    def raw(text: str, rest: bytes = b"", member: str = "x.npy") -> Callable[[], None]:
        def build() -> None:
            np.savez("evil.npz", y=labels) if member == "x.npy" else np.savez("evil.npz", x=images)
            with zipfile.ZipFile("evil.npz", "a") as archive:
                archive.writestr(member, make.raw_npy(text, rest))

        return build

    def bomb() -> None:
        with zipfile.ZipFile("evil.npz", "w", zipfile.ZIP_DEFLATED) as archive:
            header = "{'descr': '|u1', 'fortran_order': False, 'shape': (6000, 1000, 100), }"
            archive.writestr("x.npy", make.raw_npy(header, bytes(600_000_000)))
            archive.writestr(
                "y.npy", make.raw_npy("{'descr': '|u1', 'fortran_order': False, 'shape': (6000,), }", bytes(6000))
            )

    big = "{'descr': '|u1', 'fortran_order': False, 'shape': (1000000, 10000, 10000), }"
    empty = "{'descr': '|S0', 'fortran_order': False, 'shape': (1000000000000,), }"
    objects = np.array([Runs()] * 3, dtype=object)
    return {
        "bomb": bomb,
        "header of 10^14 bytes": raw(big),
        "nothing, 10^12 times": raw(empty),
        "labels of nothing": raw(empty, member="y.npy"),
        "classes of nothing": lambda: _with_classes(images, labels, empty),
        "header of code": raw("{'descr': __import__('os').system('touch canary'), }"),
        "deep header": raw("(" * 9_000),
        "negative shape": raw("{'descr': '|u1', 'fortran_order': False, 'shape': (-3, 8, 8), }", bytes(192)),
        "overflow": raw("{'descr': '<f8', 'fortran_order': False, 'shape': (9223372036854775807, 4, 4), }"),
        "objects": lambda: np.savez("evil.npz", x=objects, y=labels),
        "0-d classes": saved(x=images, y=labels, classes=np.array("a")),
        "2-d classes": saved(x=images, y=labels, classes=np.array([["a"]])),
        "no classes": saved(x=images, y=labels, classes=np.array([], "U1")),
        "float classes": saved(x=images, y=labels, classes=np.array([1.5])),
        "object classes": saved(x=images, y=labels, classes=objects),
        "0-d images": saved(x=np.array(1), y=labels),
        "0-d labels": saved(x=images, y=np.array(1)),
        "no images": saved(x=images[:0], y=labels[:0]),
        "complex images": saved(x=images.astype(complex), y=labels),
        "NaN": saved(x=np.full((3, 8, 8), np.nan), y=labels),
        "infinite": saved(x=np.full((3, 8, 8), np.inf), y=labels),
        "text as images": saved(x=np.full((3, 8, 8), "a"), y=labels),
        "records as images": saved(x=np.zeros((3, 8, 8), [("a", "u1")]), y=labels),
        "dates as labels": saved(x=images, y=np.zeros(3, "M8[s]")),
        "negative labels": saved(x=images, y=labels - 1),
        "huge labels": saved(x=images, y=labels + 2**40),
        "unsigned labels beyond": saved(x=images, y=np.full(3, 2**64 - 1, np.uint64)),
        "bytes as images": lambda: _zip("evil.npz", {"x.npy": b"abc", "y.npy": b"abc"}),
        "empty members": lambda: _zip("evil.npz", {"x.npy": b"", "y.npy": b""}),
        "nothing in it": lambda: _zip("evil.npz", {}),
        "damaged": lambda: put("evil.npz", b"PK\x03\x04" + b"x" * 500),
    }


def _zip(path: str, entries: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("other", b"")
        for name, data in entries.items():
            archive.writestr(name, data)


def _with_classes(images: np.ndarray, labels: np.ndarray, header: str) -> None:
    np.savez("evil.npz", x=images, y=labels)
    with zipfile.ZipFile("evil.npz", "a") as archive:
        archive.writestr("classes.npy", make.raw_npy(header))


def _folders() -> dict[str, Callable[[], None]]:
    def with_file(name: str, build: Callable[[str], Any]) -> Callable[[], None]:
        def made() -> None:
            put("evil/a/0.png", make.encode(make.pixels()[0], "PNG"))
            os.makedirs("evil/b", exist_ok=True)
            build(f"evil/b/{name}")

        return made

    return {
        "sparse of 10 GB": with_file("0.png", lambda path: sparse(path, 10 << 30, b"\x89PNG\r\n\x1a\n")),
        "zeros": with_file("0.png", lambda path: sparse(path, 200 << 20)),
        "a pipe": with_file("0.png", os.mkfifo),
        "a device": with_file("0.png", lambda path: os.symlink("/dev/zero", path)),
        "a link to itself": with_file("0.png", lambda path: os.symlink("0.png", path)),
        "a link to nothing": with_file("0.png", lambda path: os.symlink("nowhere", path)),
        "a link back": with_file("c", lambda path: os.symlink("..", path)),
        "text": with_file("0.png", lambda path: put(path, "hello")),
        "nothing": with_file("0.png", lambda path: put(path, b"")),
        "a huge image": with_file("0.png", lambda path: put(path, make.raw_png(30_000, 30_000, 8, 0))),
    }


def _label_files() -> dict[str, Callable[[], None]]:
    def build(text: bytes, name: str = "labels.csv") -> None:
        for number in range(2):
            put(f"evil/{number}.png", make.encode(make.pixels()[0], "PNG"))
        put(f"evil/{name}", text)

    texts = {
        "a field of 1 MB": b"0.png," + b"x" * 1_000_000 + b"\n1.png,1\n",
        "a quoted field of 1 MB": b'0.png,"' + b"x\n" * 500_000 + b'"\n1.png,1\n',
        "numbers of 5,000 digits, one of them missing": b"0.png," + b"1" * 5_000 + b"\n",
        "null bytes": b"\0" * 1_000,
        "no text": b"\xff\xfe" * 1_000,
        "two labels": b"0.png,1\n0.png,2\n1.png,1\n",
        "one label": b"0.png,1\n",
        "3,000,000 lines": b"a,1\n" * 3_000_000,
        "70 MB": b"a,1\n" * 18_000_000,
    }
    found: dict[str, Callable[[], None]] = {name: partial(build, text) for name, text in texts.items()}
    for name in ("labels.txt", "labels.csv", "labels.tsv"):
        found[f"a pipe, {name}"] = lambda name=name: (
            build(b""),
            os.remove("evil/labels.csv"),
            os.mkfifo(f"evil/{name}"),
        )
    return found


def _maps() -> dict[str, Callable[[], None]]:
    texts = {
        f"a value that is {name}": f'{{"0": {value}}}'
        for name, value in JSON_VALUES.items()
        if name not in ("text", "zero", "minus", "surrogate", "empty text", "10^400")
    }
    texts |= {f"a list of {name}": f'{{"a": [{value}]}}' for name, value in JSON_VALUES.items() if name != "zero"}
    texts |= {
        "an unknown class": '{"a": ["nothing"]}',
        "a class twice": '{"a": [0], "b": [0]}',
        "a range": '{"a": ["0-99999999999"]}',
        "a range beyond": '{"a": ["0-999999999"]}',
        "a long number": '{"a": ["' + "1" * 9_000 + '"]}',
        "a class of 100 kB": '{"a": ["' + "x" * 100_000 + '"]}',
        "many ranges": '{"a": [' + '"0-9",' * 500_000 + '"0-9"]}',
        "deep": '{"a":' * 100_000,
        "of 20 MB": '{"a": "' + "x" * 20_000_000 + '"}',
        "nothing": "{}",
        "cut": '{"a"',
    }
    found: dict[str, Callable[[], None]] = {name: partial(put, "evil.json", text) for name, text in texts.items()}
    found["a pipe"] = partial(os.mkfifo, "evil.json")
    found["sparse"] = partial(sparse, "evil.json", 10 << 30)
    return found


def _tables() -> dict[str, Callable[[], None]]:
    texts = {
        "a field of 1 MB": "0," + "x" * 1_000_000,
        "null bytes": "\0\0",
        "three columns": "0,1,2",
        "one column": "0",
        "a long number": "1" * 5_000 + ",1",
        "a class of 100 kB": "x" * 100_000 + ",1",
        "an open quote": '"0,1',
        "3,000,000 lines": "0,1\n" * 3_000_000,
        "a class twice": "0,1\n0,2\n",
        "nothing": "",
    }
    found: dict[str, Callable[[], None]] = {name: partial(put, "evil.csv", text) for name, text in texts.items()}
    found["no text"] = partial(put, "evil.csv", b"\xff\xfe\x80")
    return found


def _records() -> dict[str, Callable[[], None]]:
    texts = {
        "text": b"hello\n",
        "no line break": b"x" * 100,
        "another run": b'{"schema": 1, "run": {}}\n',
        "of zeros": bytes(1000),
    }
    found: dict[str, Callable[[], None]] = {name: partial(put, "evil.jsonl", text) for name, text in texts.items()}
    for name, value in JSON_VALUES.items():
        found[f"first line {name}"] = partial(put, "evil.jsonl", f"{value}\n")
    found["a pipe that nobody reads"] = partial(os.mkfifo, "evil.jsonl")
    found["a folder"] = partial(os.mkdir, "evil.jsonl")
    found["sparse"] = partial(sparse, "evil.jsonl", 10 << 30)
    found["a line of 5 MB"] = partial(put, "evil.jsonl", b"x" * 5_000_000)
    return found


def _states() -> dict[str, Callable[[], None]]:
    def meta(**fields: Any) -> Callable[[], None]:
        return partial(put, "evil.state", safetensors_of(json.dumps({"schema": 1, **fields}), {}))

    found: dict[str, Callable[[], None]] = {
        "a pipe": partial(os.mkfifo, "evil.state"),
        "a device": partial(os.symlink, "/dev/zero", "evil.state"),
        "a folder": partial(os.mkdir, "evil.state"),
        "empty": partial(put, "evil.state", b""),
        "text": partial(put, "evil.state", "hello"),
        "sparse": partial(sparse, "evil.state", 10 << 30),
        "a pickle": partial(put, "evil.state", __import__("pickle").dumps(Runs())),
        "no state": meta(),
        "no run": meta(state=True, history=[]),
        "no history": meta(state=True, run={}),
        "of another run": meta(state=True, run={"a": 1}, history=[]),
        "schema": meta(schema=[]),
    }
    for name in ("true", "text", "lists", "10^400", "deep"):
        text = '{"schema": 1, "state": true, "history": [], "run": ' + JSON_VALUES[name] + "}"
        found[f"a run that is {name}"] = lambda t=text: put("evil.state", safetensors_of(t, {}))
    return found


def _vectors() -> dict[str, Callable[[], None]]:
    return {
        "huge": partial(
            put, "evil.npy", make.raw_npy("{'descr': '<f8', 'fortran_order': False, 'shape': (10**12,), }")
        ),
        "sparse": partial(sparse, "evil.npy", 10 << 30, b"\x93NUMPY"),
        "objects": lambda: np.save("evil.npy", np.array([Runs()], dtype=object)),
        "nothing": partial(put, "evil.npy", b""),
        "text": partial(put, "evil.npy", b"hello"),
        "complex": lambda: np.save("evil.npy", np.array(["a"])),
    }


def _idx() -> dict[str, Callable[[], None]]:
    def build(images: bytes, labels: bytes = struct.pack(">II", 2049, 1) + b"\0") -> None:
        put("evil/MNIST/raw/train-images-idx3-ubyte", images)
        put("evil/MNIST/raw/train-labels-idx1-ubyte", labels)

    start = struct.pack(">I", 2051)
    big = struct.pack(">III", 2**32 - 1, 28, 28)
    import gzip

    return {
        "huge": partial(build, start + big),
        "sparse": lambda: (build(b""), sparse("evil/MNIST/raw/train-images-idx3-ubyte", 10 << 30, start + big)),
        "gzip bomb": lambda: build(gzip.compress(start + struct.pack(">III", 700_000, 28, 28) + bytes(548_800_000), 1)),
        "cut": partial(build, start),
        "nothing": partial(build, b""),
        "other sizes": partial(build, start + struct.pack(">III", 1, 9, 9) + bytes(81)),
        "no labels": partial(build, start + struct.pack(">III", 1, 28, 28) + bytes(784), b"x" * 20),
    }
