"""Hostile shards: members, headers, heads, images and labels."""

import gzip
import io
import json
import random
import struct
import tarfile
import zlib
from collections.abc import Iterator
from functools import partial

import numpy as np
import shard_factory as make
from hostile.corpus import JSON_VALUES, Input, many, put, sparse, tar_of
from PIL import Image

VERIFY = ["data", "evil.tar", "-o", "made.tar"]
TRAIN = ["train", "--data", "evil.tar", "--arch", "linear", "--epochs", "1", "-o", "made"]
GOOD = make.encode(make.pixels()[0], "PNG")


def inputs() -> Iterator[Input]:
    yield from many("H1 names of members", "evil.tar", VERIFY, dict(_name_pairs()))
    yield from many("H2 headers of members", "evil.tar", VERIFY, _headers())
    yield from many("H3 heads", "evil.tar.*head", VERIFY, _heads())
    yield from many("structure of tars", "evil.tar", VERIFY, _structures())
    yield from many("gzip bombs as shards", "evil.tar", VERIFY, _bombs())
    yield from many("images", "evil.tar: sample 'k'", TRAIN, _images())
    yield from many("labels", "evil.tar: sample 'k'", VERIFY, _labels())
    yield from many("labels by keys", "evil.tar: sample 'k'", [*VERIFY, "--label-key", "json:label"], _fields())
    relabel = ["relabel", "--data", "evil.tar", "--shift", "1", "-o", "made.tar"]
    yield from many("json members", "evil.tar: sample 'k'", relabel, _facts())


def _tar(*members, **options):
    return partial(put, "evil.tar", tar_of(*members, **options))


def _sample(data: bytes, extension: str = "png", label: bytes = b"1", **others: bytes):
    rest = [(f"k.{name}", value) for name, value in others.items()]
    return lambda: put("evil.tar", tar_of((f"k.{extension}", data), ("k.cls", label), *rest))


def _name_pairs():
    forms = {"a": "a", "a/": "a/", "a.": "a.", ".": ".", "/": "/", "é": "é", "./": "./", "a b.": "a b."}
    for name, form in forms.items():
        for length in (10_000, 100_000):
            text = form * (length // len(form))
            yield f"{length} of {name}", lambda t=text: put("evil.tar", tar_of((f"{t}.png", GOOD)))
    for length in (5_000, 1_000_000):
        text = "x" * length
        yield (
            f"GNU name of {length}",
            lambda t=text: put("evil.tar", tar_of((f"{t}.png", GOOD), tar_format=tarfile.GNU_FORMAT)),
        )


def _pax(body: bytes, kind: bytes = tarfile.XHDTYPE) -> bytes:
    return make.header("pax", len(body), kind) + make.padded(body)


def _headers():
    rest = tar_of(("k.png", GOOD), ("k.cls", b"1"))
    bodies = {
        "short records": b"5 aaaa" * 20_000,
        "length 0": b"0 a=b\n" * 20_000,
        "length 1": b"1 a=b\n" * 20_000,
        "no equals sign": b"9 " + b"a" * 100_000,
        "spaces": b" " * 100_000,
        "digits": b"1" * 100_000,
        "length beyond": b"99999999 a=b\n" + b"x" * 100_000,
        "huge length": b"9" * 6_000 + b" a=b\n",
        "keyword of 100 kB": b"7 " + b"k" * 100_000 + b"=v\n",
        "negative": b"-5 a=b\n" * 1000,
    }
    found = {name: partial(put, "evil.tar", _pax(body) + rest) for name, body in bodies.items()}
    found |= {f"global, {name}": partial(put, "evil.tar", _pax(b, b"g") + rest) for name, b in bodies.items()}
    records = {
        "size": ["-1", "1" * 400, "x", "99999999999999"],
        "GNU.sparse.major": ["1"],
        "GNU.sparse.map": ["0," * 5000 + "0", "x"],
        "path": ["x" * 200_000, "\0" * 10_000],
    }
    for key, values in records.items():
        for value in values:
            data = make.pax({key: value} | ({"GNU.sparse.minor": "0"} if "major" in key else {})) + rest
            found[f"{key} {value[:12]!r}"] = partial(put, "evil.tar", data)
    chain = _pax(b"6 a=b\n") * 3_000
    found["3,000 headers, one after another"] = partial(put, "evil.tar", chain + rest)
    found["headers of 1 MB, one after another"] = lambda: put("evil.tar", _pax(make_pax_megabyte()) * 300 + rest)
    found["headers of 1 MB, gzipped"] = lambda: put("evil.tar", gzip.compress(_pax(make_pax_megabyte()) * 300))
    return found


def make_pax_megabyte() -> bytes:
    return b"1000000 a=" + b"x" * (1_000_000 - 11) + b"\n"


def _heads():
    fields = {
        "schema": ["null", "zero", "text", "list", "10^400", "infinity"],
        "classes": ["true", "zero", "text", "list", "lists", "mapping", "mixed", "deep", "infinity"],
        "num_classes": ["true", "zero", "minus", "half", "infinity", "nan", "10^400", "10^5000", "text", "list"],
        "shape": ["true", "zero", "text", "list", "lists", "mapping", "mixed", "10^400"],
        "split": ["true", "zero", "list", "mapping"],
        "source": ["zero", "lists", "mapping"],
        "history": ["null", "zero", "text", "mapping", "mixed", "lists"],
        "records": ["null", "text", "mixed", "lists", "mapping"],
    }
    good = {"schema": 1, "num_classes": 2, "classes": ["a", "b"], "shape": [1, 8, 8]}

    def head(text: bytes):
        return _tar(("__advtool__/head", text), ("k.png", GOOD), ("k.cls", b"1"))

    found = {}
    for field, values in fields.items():
        for value in values:
            text = json.dumps(good | {field: "@"}).replace('"@"', JSON_VALUES[value])
            found[f"{field}: {value}"] = head(text.encode())
    others = {
        "nothing": b"",
        "a list": b"[]",
        "a number": b"7",
        "cut": b'{"schema": 1',
        "no UTF-8": b"\xff\xfe\0\x80",
        "huge shape": json.dumps(good | {"shape": [3, 10**9, 10**9]}).encode(),
        "deep": b'{"a":' * 100_000,
        "unknown schema": b'{"schema": 99}',
    }
    found |= {name: head(text) for name, text in others.items()}
    for name, piece in {"lists": b"[],", "objects": b"{},", "spaces": b" ", "numbers": b"1.5,"}.items():
        found[f"180 MB of {name}, gzipped"] = partial(_large_head, piece)
    return found


def _large_head(piece: bytes) -> None:
    text = b'{"schema": 1, "records": [' + piece * (180_000_000 // len(piece)) + b"{}]}"
    put("evil.tar", gzip.compress(tar_of(("__advtool__/head", text), ("k.png", GOOD), ("k.cls", b"1")), 1))


def _structures():
    good = tar_of(("k.png", GOOD), ("k.cls", b"1"))
    kinds = {"link": b"2", "hard link": b"1", "character device": b"3", "block device": b"4", "pipe": b"6"}
    found = {name: partial(put, "evil.tar", make.header("k.png", 0, kind) + make.END) for name, kind in kinds.items()}
    for size in (-1, 2**40, 2**62):
        found[f"size {size}"] = partial(put, "evil.tar", make.header("k.png", size) + make.END)
    for cut in (600, 1100, 1536, 2048):
        found[f"cut at {cut}"] = partial(put, "evil.tar", good[:cut])
    found |= {
        "no member": partial(put, "evil.tar", make.END),
        "zeros": partial(sparse, "evil.tar", 10 << 30),
        "zeros after the end": partial(sparse, "evil.tar", 10 << 30, good),
        "the device of zeros": lambda: __import__("os").symlink("/dev/zero", "evil.tar"),
        "a key twice": _tar(("k.png", GOOD), ("k.cls", b"1"), ("a.png", GOOD), ("a.cls", b"1"), ("k.png", GOOD)),
        "a member twice": _tar(("k.png", GOOD), ("k.png", GOOD)),
        "members apart": _tar(("k.png", GOOD), ("a.png", GOOD), ("k.cls", b"1"), ("a.cls", b"1")),
        "2,000 members of one key": _tar(*((f"k.{n}", b"") for n in range(2_000))),
        "two images": _tar(("k.png", GOOD), ("k.jpg", GOOD), ("k.cls", b"1")),
        "garbage": partial(put, "evil.tar", random.Random(0).randbytes(5_000)),
        "a header of garbage": partial(put, "evil.tar", b"k.png".ljust(257, b"\xff") + b"ustar" + bytes(250)),
    }
    return found


def _bombs():
    zeros = bytes(200 << 20)

    def bomb(*members):
        return lambda: put("evil.tar", gzip.compress(tar_of(*members), 9))

    return {
        "image of 200 MB": bomb(("k.png", zeros), ("k.cls", b"1")),
        "label of 200 MB": bomb(("k.png", GOOD), ("k.cls", zeros)),
        "members of 400 MB": bomb(("k.png", GOOD), ("k.a", zeros), ("k.b", zeros), ("k.cls", b"1")),
        "junk of 1 GB": bomb(*((f"{n}.x", zeros) for n in range(5))),
        "zeros of 200 MB": lambda: put("evil.tar", gzip.compress(zeros)),
        "gzip in gzip": lambda: put("evil.tar", gzip.compress(gzip.compress(zeros))),
        "cut gzip": lambda: put("evil.tar", gzip.compress(tar_of(("k.png", zeros)))[:-9]),
        "damaged gzip": lambda: put("evil.tar", gzip.compress(tar_of(("k.png", GOOD)))[:-40] + b"x" * 40),
    }


def _images():
    rng = random.Random(7)
    found = {}
    for kind, suffix in {
        "PNG": "png",
        "JPEG": "jpg",
        "WEBP": "webp",
        "BMP": "bmp",
        "PPM": "ppm",
        "TIFF": "tif",
    }.items():
        data = make.encode(make.pixels(3, 3)[0], kind)
        for cut in (len(data) // 3, len(data) // 8):
            found[f"{kind} cut to {cut}"] = _sample(data[:cut], suffix)
        found[f"{kind} header of noise"] = _sample(data[:4] + rng.randbytes(300), suffix)
    for side in (9_000, 20_000, 2**31 - 1):
        found[f"PNG of {side}²"] = _sample(make.raw_png(side, side, 8, 0))
    out = io.BytesIO()
    Image.new("1", (8_100, 8_100)).save(out, "TIFF", compression="group4")
    found["TIFF of 8,100²"] = _sample(out.getvalue(), "tif")
    found["PNG of 16 bits"] = _sample(make.encode(np.zeros((8, 8), np.uint16), "PNG"))
    found["PNG of 0×0"] = _sample(make.raw_png(0, 0, 8, 0))
    found["GIF"] = _sample(make.encode(make.pixels()[0], "GIF"))
    found["TIFF that points to itself"] = _sample(
        b"II*\0\x08\0\0\0\x01\0\x02\x01\x03\0\xff\xff\xff\xff\x08\0\0\0\x08\0\0\0", "tif"
    )
    found["PNG of text chunks"] = _sample(_png_with_text())
    for name, text in {
        "huge": "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 99999999, 99999999), }",
        "of objects": "{'descr': '|O', 'fortran_order': False, 'shape': (1, 8, 8), }",
        "of code": "{'descr': __import__('os').system('touch canary'), }",
        "of 0 channels": "{'descr': '<f4', 'fortran_order': False, 'shape': (0, 8, 8), }",
        "deep": "(" * 5_000,
    }.items():
        found[f"npy {name}"] = _sample(make.raw_npy(text, bytes(256)), "npy")
    nan = np.full((1, 8, 8), np.nan, "<f4")
    found["npy of NaN"] = _sample(
        make.raw_npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 8, 8), }", nan.tobytes()), "npy"
    )
    found["empty image"] = _sample(b"")
    return found


def _png_with_text() -> bytes:
    body = b"k\0\0" + zlib.compress(bytes(100 << 20))
    chunk = struct.pack(">I", len(body)) + b"zTXt" + body + struct.pack(">I", zlib.crc32(b"zTXt" + body))
    return GOOD[:33] + chunk * 3 + GOOD[33:60]


def _labels():
    texts = [b"", b"-1", b"1.5", b"x", b"9" * 5_000, b"1000000", b"\xff", "²".encode(), b"1_0", b"0x1", b"inf", b"1 2"]
    texts += [b"1" * 20_000_000, b"\0", b"1\n2", b"+1"]
    return {repr(text[:9]): _sample(GOOD, label=text) for text in texts}


def _fields():
    texts = {
        name: f'{{"label": {value}}}'
        for name, value in JSON_VALUES.items()
        if name not in ("zero", "text", "surrogate")
    }
    texts |= {"none": "{}", "cut": '{"label"', "long name": json.dumps({"label": "x" * 10_000}), "a list": "[1]"}
    texts |= {"deep": '{"label":' * 50_000, "of 20 MB": '{"a": "' + "x" * 20_000_000 + '", "label": 1}'}
    return {name: _sample(GOOD, json=text.encode()) for name, text in texts.items()}


def _facts():
    texts = {name: value for name, value in JSON_VALUES.items() if name != "mapping"}
    texts |= {"of 17 MB": '{"a":[' + "1," * 9_000_000 + "1]}", "cut": "{", "nothing": ""}
    return {name: _sample(GOOD, json=text.encode()) for name, text in texts.items()}
