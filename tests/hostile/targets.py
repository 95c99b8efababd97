"""What reads hostile bytes: each reader, and real files to begin with."""

import io
import json
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shard_factory as make
import torch

from advtool.cli.theory import values as theory_values
from advtool.data import braces, labels, npz
from advtool.datasets import groupings
from advtool.evaluation.per_sample import PerSampleFile, SampleOutcome
from advtool.io import checkpoints, images, torch_files
from advtool.io.foreign import ForeignFile
from advtool.io.head import Head
from advtool.io.keys import Keys
from advtool.io.readers import SampleReader
from advtool.io.streams import Stream
from advtool.models import checkpoint
from advtool.models.classifier import ModelSpec
from advtool.models.converting import Wanted, convert
from advtool.models.described import describe
from advtool.models.registry import build
from advtool.training.state import PARTS, State
from advtool.values import counts, fractions, integer, number

RUN = {"sha256": "x", "attacks": [{"attack": "pgd"}], "norm": "l2", "seed": 0, "amp": False}
CLASSES = tuple(map(str, range(10)))


@dataclass(frozen=True)
class Target:
    """A reader."""

    read: Callable[[bytes], Any]
    originals: Sequence[bytes]
    shows_lines: bool = True


def status(name: str) -> int:
    """A size out of /proc, in bytes."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1]) << 10


def targets(place: Path) -> dict[str, Target]:
    """All readers, by name; what needs a file on disk writes it to the folder."""
    import gzip

    samples = make.samples(3, json=b'{"a": {"b": 1}}')
    shard = make.shard(samples, Head(CLASSES, 10, (1, 8, 8), "test", "s", ("advtool data",), ({"a": 1},)))
    pax = make.pax({"path": "k" * 200 + ".png", "mtime": "1.5"}) + make.tar([("k.png", b"x"), ("k.cls", b"1")])
    pictures = [make.encode(make.pixels(1, 3)[0], kind) for kind in ("PNG", "JPEG", "WEBP", "BMP", "PPM", "TIFF")]
    pictures += [
        make.encode(make.pixels()[0], "TIFF", compression="tiff_lzw"),
        make.encode(make.pixels()[0], "PNG", "P"),
    ]
    network = ModelSpec("mlp", CLASSES, (1, 8, 8), (0.3,), (0.3,), {"hidden": [8]})
    ours = checkpoint.to_bytes(build(network), training={"epochs": 1}, data={"source": "digits"})
    parts: dict[str, dict[str, torch.Tensor]] = {part: {} for part in PARTS if part != "model"}
    state = State({"model": {"1.weight": torch.zeros(2, 2)}, **parts}, ({"epoch": 1, "loss": 0.5},)).to_bytes({"a": 1})
    outcome = json.dumps(SampleOutcome("k", 1, 0.5, 1, "pgd", 0.25, "f").to_json()).encode() + b"\n"
    record = json.dumps({"schema": 1, "run": RUN}, sort_keys=True).encode() + b"\n" + outcome * 3
    timm = {"architecture": "resnet18", "num_classes": 2, "pretrained_cfg": {"input_size": [3, 32, 32], "mean": [0.5]}}
    vit = {
        "architectures": ["ViTForImageClassification"],
        "model_type": "vit",
        "image_size": 32,
        "id2label": {"0": "a"},
    }
    table = b"0.png,cat\n1.png,dog\n"
    maps = [b'{"a": ["0-3", 4], "b": ["5"]}', b'{"0": "a", "1": "b", "2": null}', b"old,new\n0,a\n1,b\n"]
    for name in ("0.png", "1.png"):
        (place / name).write_bytes(pictures[0])
    return {
        "stream": Target(lambda data: Stream(io.BytesIO(data), "f").read_all(1 << 30), [shard, gzip.compress(shard)]),
        "tar": Target(_samples, [shard, pax, gzip.compress(shard), make.tar([("a.png", b"x")], 1)]),
        "keyed tar": Target(lambda data: _samples(data, Keys(label="json:a.b")), [shard]),
        "image": Target(_image, pictures),
        "npy": Target(lambda data: images.decode(data, "npy"), [images.encode_npy(make.floats())]),
        "head": Target(lambda data: Head.from_bytes(data, "f"), [Head(CLASSES, 10, (1, 8, 8)).to_bytes()]),
        "checkpoint": Target(_checkpoint, [ours]),
        "torch": Target(_torch, _torch_files()),
        "npz": Target(lambda data: _npz(place, data), _npz_files()),
        "state": Target(_state, [state]),
        "per-sample": Target(lambda data: _per_sample(place, data), [record, outcome]),
        "map": Target(lambda data: _map(place, data), maps),
        "labels": Target(
            lambda data: _labels(place, data), [table, b"0.png 1\n1.png 2\n", b"file;label\n0.png;7\n1;8\n"]
        ),
        "config": Target(_config, [json.dumps(timm).encode(), json.dumps(vit).encode()]),
        "number": Target(_numbers, [b"0.5", b"8/255", b"1,2,3", b"2:18:0.5", b"1e-3"]),
        "pattern": Target(
            lambda data: braces.expanded(_text(data)), [b"x-{000..009}.tar", b"{a,b{c,d}}-{0..9..2}", b"a\\{b,c}"]
        ),
    }


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _samples(data: bytes, keys: Keys | None = None) -> None:
    for sample in SampleReader([Stream(io.BytesIO(data), "f")], "f", keys or Keys()):
        sample.shape(), sample.pixels(), sample.label, sample.facts()


def _image(data: bytes) -> None:
    images.size(data, "png")
    images.decode(data, "png")


def _checkpoint(data: bytes) -> None:
    checkpoint.restore(checkpoints.read(Stream(io.BytesIO(data), "f")))


def _torch(data: bytes) -> None:
    states, sha256 = torch_files.read_states(Stream(io.BytesIO(data), "f"))
    checkpoint.restore(convert(ForeignFile("f", sha256, states), Wanted("mlp", {"hidden": [8]}, "none")))


def _torch_files() -> list[bytes]:
    network = build(ModelSpec("mlp", CLASSES, (1, 8, 8), (0.3,), (0.3,), {"hidden": [8]})).net.state_dict()
    found = []
    for content, is_zip in ((network, True), ({"model": network, "epoch": 3}, True), (network, False)):
        out = io.BytesIO()
        torch.save(content, out, _use_new_zipfile_serialization=is_zip)
        found.append(out.getvalue())
    return found


def _npz(place: Path, data: bytes) -> None:
    (place / "a.npz").write_bytes(data)
    npz.resolve("a.npz", place / "a.npz", None, "train").open()


def _npz_files() -> list[bytes]:
    arrays = {"x": np.zeros((3, 8, 8), np.uint8), "y": np.arange(3), "classes": np.array(["a", "b", "c"])}
    found = []
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", method) as archive:
            for name, array in arrays.items():
                inner = io.BytesIO()
                np.save(inner, array)
                archive.writestr(f"{name}.npy", inner.getvalue())
        found.append(out.getvalue())
    return found


def _state(data: bytes) -> None:
    State.from_file(checkpoints.read(Stream(io.BytesIO(data), "f")), {"a": 1})


def _per_sample(place: Path, data: bytes) -> None:
    (place / "p.jsonl").write_bytes(data)
    PerSampleFile(place / "p.jsonl", [RUN]).known("k", 0.5, "f")


def _map(place: Path, data: bytes) -> None:
    (place / "m.json").write_bytes(data)
    groupings.load(str(place / "m.json"), CLASSES)


def _labels(place: Path, data: bytes) -> None:
    (place / "labels.csv").write_bytes(data)
    labels.find([place / "0.png", place / "1.png"], place, place, None)


def _config(data: bytes) -> None:
    try:
        config = json.loads(data)
    except (ValueError, RecursionError):
        return
    if isinstance(config, dict):
        describe(config, config, "f")


def _numbers(data: bytes) -> None:
    from advtool.errors import UsageError

    for read in (number, integer, fractions, counts, theory_values.sweep, theory_values.vector, theory_values.exponent):
        try:
            read(_text(data))
        except UsageError:
            continue
