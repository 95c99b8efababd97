"""Hostile files of weights: safetensors, PyTorch files, and what lies beside weights."""

import collections
import gzip
import io
import json
import os
import pickle
import struct
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from hostile.corpus import JSON_VALUES, Input, Runs, checkpoint, many, put, safetensors_of, sparse

EVAL = ["eval", "--ckpt", "evil.safetensors", "--data", "digits", "-n", "3"]
TORCH = ["eval", "--ckpt", "evil.pt", "--data", "digits", "-n", "3", "--arch", "mlp"]
FOLDER = ["eval", "--ckpt", "evil", "--data", "digits", "-n", "3"]


def inputs() -> Iterator[Input]:
    yield from many("H5 safetensors", "evil.safetensors", EVAL, _safetensors())
    yield from many("H6-H8 PyTorch files", "evil.pt", TORCH, _torch())
    yield from many("pickles that run code", "evil.pt", TORCH, _pickles())
    yield from many("configurations", "evil", FOLDER, _configurations())
    yield from many("indices of parts", "evil", FOLDER, _indices())


def _evil(tensors: dict[str, Any]) -> Callable[[], None]:
    return lambda: put("evil.safetensors", checkpoint(tensors))


def _safetensors() -> dict[str, Callable[[], None]]:
    good = safetensors_of(None, {"a": ("F32", [2], bytes(8))})

    def raw(header: str, length: int | None = None, rest: bytes = b"") -> Callable[[], None]:
        size = len(header) if length is None else length
        return lambda: put("evil.safetensors", struct.pack("<Q", size) + header.encode() + rest)

    def entry(**changes: Any) -> Callable[[], None]:
        return raw(json.dumps({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]} | changes}), rest=bytes(8))

    found = {
        "sparse, more than it says": lambda: sparse("evil.safetensors", 10 << 30, good),
        "sparse, as it says": lambda: sparse("evil.safetensors", (4 << 30) + 100, _stating(4 << 30)),
        "gzip of 4 GB": partial(_gzipped, 4 << 30),
        "gzip of more than it says": lambda: put("evil.safetensors", gzip.compress(good + bytes(300 << 20))),
        "header of 99 MB": raw("{", 99_000_000, bytes(200)),
        "header of 30 MB": raw('{"a":' + "[]," * 10_000_000 + "}"),
        "header cut": raw('{"a"', 1000),
        "header of a list": raw('{"a":1]'),
        "negative offsets": entry(data_offsets=[-8, 0]),
        "offsets beyond": entry(data_offsets=[0, 2**40]),
        "offsets of 2^63": entry(data_offsets=[0, 2**63]),
        "offsets reversed": entry(data_offsets=[8, 0]),
        "shape of another size": entry(shape=[2**32, 2**32]),
        "negative shape": entry(shape=[-2]),
        "many dimensions": entry(shape=[1] * 100_000 + [2]),
        "unknown type": entry(dtype="X9"),
        "4-bit type": entry(dtype="F4", shape=[16]),
        "type that is none": entry(dtype=7),
        "name of 2,000 characters": raw(
            json.dumps({"a" * 2_000: {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}), rest=bytes(8)
        ),
        "other metadata": raw(json.dumps({"__metadata__": {"advtool": 1}})),
        "20,000 unknown tensors": _evil({f"x{n}.weight": ("F32", [1], bytes(4)) for n in range(20_000)}),
        "empty": lambda: put("evil.safetensors", b""),
        "a page": lambda: put("evil.safetensors", "<!doctype html>"),
        "zero elements of huge shape": entry(shape=[0, 2**62], data_offsets=[0, 0]),
    }
    for name in ("conv1.weight", "fc.weight", "linear.weight", "module.0.weight", "block1.layer.999.conv1.weight"):
        tensors = {f"p{n}.{name}": ("F32", [1, 1], bytes(4)) for n in range(20_000)}
        found[f"20,000 networks of {name}"] = lambda t=tensors: put("evil.safetensors", safetensors_of(None, t))
    return found


def _stating(size: int) -> bytes:
    text = json.dumps({"a": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}).encode()
    return struct.pack("<Q", len(text)) + text


def _gzipped(size: int) -> None:
    with gzip.open("evil.safetensors", "wb", 1) as file:
        file.write(_stating(size))
        for _ in range(min(size >> 20, 600)):
            file.write(bytes(1 << 20))


def _torch() -> dict[str, Callable[[], None]]:
    def saved(content: Callable[[], Any], **options: Any) -> Callable[[], None]:
        return lambda: torch.save(content(), "evil.pt", **options)

    def nested(levels: int, keys: tuple[str, ...] = ("model",)) -> Any:
        content: Any = {"a.weight": torch.zeros(1)}
        for _ in range(levels):
            content = dict.fromkeys(keys, content)
        return content

    def cyclic() -> Any:
        content: dict[str, Any] = {}
        content["model"] = content["ema"] = content
        return content

    def many_tensors(form: str) -> Any:
        return {form.format(n): torch.zeros(1) for n in range(20_000)}

    zero = torch.zeros(1)
    found = {
        "expanded": saved(lambda: {"1.weight": zero.expand(10**6, 10**6)}),
        "expanded by stride": saved(lambda: {"1.weight": torch.zeros(100).as_strided((10**5, 100), (0, 1))}),
        "shared": saved(lambda: {f"{n}.weight": b for b in [torch.zeros(10**6)] for n in range(2_000)}),
        "meta": saved(lambda: {"1.weight": torch.zeros(10**6, 10**6, device="meta")}),
        "nested tensors": saved(lambda: {"1.weight": torch.nested.nested_tensor([zero, torch.zeros(2)])}),
        "sparse": saved(lambda: {"1.weight": torch.zeros(4, 4).to_sparse()}),
        "huge sparse": saved(lambda: {"1.weight": torch.sparse_coo_tensor([[0], [0]], [1.0], (10**9, 10**9))}),
        "0-d": saved(lambda: {"1.weight": torch.tensor(1.0), "1.bias": torch.tensor(1.0)}),
        "complex": saved(lambda: {"1.weight": torch.zeros(2, 2, dtype=torch.complex64)}),
        "float8": saved(lambda: {"1.weight": torch.zeros(2, 2).to(torch.float8_e4m3fn)}),
        "cyclic": saved(cyclic),
        "deep": saved(lambda: nested(200)),
        "shared dictionaries": saved(lambda: nested(40, ("model", "state_dict", "net", "ema"))),
        "many averages": saved(lambda: {f"ema{n}": {"a": zero} for n in range(500)}),
        "names that are numbers": saved(lambda: {n: zero for n in range(9)}),
        "a tensor": saved(lambda: zero),
        "a list": saved(lambda: [zero]),
        "20,000 tensors": saved(lambda: many_tensors("x{}.weight")),
        "20,000 averages": saved(lambda: many_tensors("ema{}.weight")),
        "20,000 prefixes": saved(lambda: many_tensors("p{}.1.weight")),
        "20,000 normalisers": saved(lambda: many_tensors("p{}.mean") | many_tensors("p{}.std")),
        "dotted names": saved(lambda: {"." * 900 + str(n): zero for n in range(2_000)}),
        "older format, expanded": saved(lambda: {"w": zero.expand(10**9)}, _use_new_zipfile_serialization=False),
        "zip bomb": _zip({"archive/data.pkl": b"\x80\x02}.", "archive/data/0": bytes(400 << 20)}),
        "zip bomb of a pickle": _zip({"archive/data.pkl": bytes(400 << 20)}),
        "zip without a pickle": _zip({"a": b"b"}),
        "a million entries": lambda: _zip({str(n): b"" for n in range(250_000)}, zipfile.ZIP_STORED)(),
        "cut": lambda: (torch.save({"a": zero}, "evil.pt"), os.truncate("evil.pt", 300)),
        "sparse file": lambda: sparse("evil.pt", 6 << 30, b"PK\x03\x04"),
        "a zip header alone": lambda: put("evil.pt", b"PK\x03\x04"),
    }
    return found


def _zip(entries: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Callable[[], None]:
    def build() -> None:
        with zipfile.ZipFile("evil.pt", "w", method) as archive:
            for name, data in entries.items():
                archive.writestr(name, data)

    return build


def _pickles() -> dict[str, Callable[[], None]]:
    code = pickle.dumps(Runs(), protocol=2)
    legacy = io.BytesIO()
    torch.save({"a": torch.zeros(1)}, legacy, _use_new_zipfile_serialization=False)
    deep = b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b"."
    found: dict[str, Callable[[], None]] = {
        "in a zip": _zip({"archive/data.pkl": code, "archive/version": b"3\n"}, zipfile.ZIP_STORED),
        "alone": lambda: put("evil.pt", code),
        "after the magic": lambda: put("evil.pt", legacy.getvalue()[:15] + code),
        "in a dictionary": lambda: torch.save({"a": torch.zeros(1), "b": Runs()}, "evil.pt"),
        "deep lists": _zip({"archive/data.pkl": deep, "archive/version": b"3\n"}, zipfile.ZIP_STORED),
        "an ordered dictionary of it": lambda: torch.save(collections.OrderedDict(a=Runs()), "evil.pt"),
        "a name of 100 kB": _zip({"archive/data.pkl": b"\x80\x02c" + b"x" * 100_000 + b"\ny\n."}, zipfile.ZIP_STORED),
        "a name of 100 kB, alone": lambda: put("evil.pt", legacy.getvalue()[:15] + b"c" + b"x" * 100_000 + b"\ny\n."),
        "16 million operations": _zip({"archive/data.pkl": b"\x80\x02" + b"N" * (16 << 20) + b"."}, zipfile.ZIP_STORED),
        "TorchScript": lambda: torch.jit.save(torch.jit.script(torch.nn.Linear(1, 1)), "evil.pt"),
    }
    return found


def _configurations() -> dict[str, Callable[[], None]]:
    timm = {"architecture": "resnet18", "num_classes": 2, "pretrained_cfg": {"input_size": [3, 32, 32]}}
    vit = {"architectures": ["ViTForImageClassification"], "model_type": "vit", "image_size": 32, "hidden_size": 16}

    def build(text: str) -> None:
        put("evil/config.json", text)
        put("evil/model.safetensors", safetensors_of(None, {"fc.weight": ("F32", [2, 2], bytes(16))}))

    found: dict[str, Callable[[], None]] = {
        "FIFO": lambda: (build("{}"), os.remove("evil/config.json"), os.mkfifo("evil/config.json")),
        "of 20 MB": partial(build, '{"a": "' + "x" * 20_000_000 + '"}'),
        "deep": partial(build, '{"a":' * 100_000),
        "a list": partial(build, "[]"),
    }
    for library, good, fields in (
        ("timm", timm, ("architecture", "pretrained_cfg", "model_args", "label_names")),
        (
            "transformers",
            vit,
            ("architectures", "model_type", "hidden_size", "image_size", "num_hidden_layers", "id2label"),
        ),
    ):
        for field in fields:
            for name in ("minus", "10^400", "infinity", "text", "lists", "mixed"):
                text = json.dumps(good | {field: "@"}).replace('"@"', JSON_VALUES[name])
                found[f"{library}, {field}: {name}"] = partial(build, text)
    return found


def _indices() -> dict[str, Callable[[], None]]:
    def build(weight_map: Any, name: str = "a.safetensors", then: Callable[[str], Any] | None = None) -> None:
        put("evil/model.safetensors.index.json", json.dumps({"weight_map": weight_map}))
        if then:
            then(f"evil/{name}")

    one = {"w": "a.safetensors"}
    return {
        "a part that is a device": partial(build, one, then=lambda path: os.symlink("/dev/zero", path)),
        "a part that is a pipe": partial(build, one, then=os.mkfifo),
        "a part that is a folder": partial(build, one, then=os.mkdir),
        "a part that is not there": partial(build, one),
        "a part outside": partial(build, {"w": "../m"}),
        "a part of any name": partial(build, {"w": 7}),
        "a part of a long name": partial(build, {"w": "x" * 5_000}),
        "a part with a null byte": partial(build, {"w": "a\0b"}),
        "a list": partial(build, []),
        "a sparse part": partial(build, one, then=lambda path: sparse(path, 8 << 30, _stating(8 << 30))),
    }
