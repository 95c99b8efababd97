"""Shards as other people make them, in the current directory."""

import json
from collections.abc import Callable

import numpy as np
import shard_factory as make
from situations import here

from advtool.io.head import Head

N = 6
NAMES = ("emu", "cat", "dog")
SORTED = ["cat", "dog", "emu"]
Members = list[tuple[str, bytes]]


def picture(index: int, kind: str = "PNG", channels: int = 3) -> bytes:
    pixels = make.pixels(index, channels)
    return make.encode(pixels[0] if channels == 1 else pixels.transpose(1, 2, 0), kind)


def shard(of_each: Callable[[int], dict[str, object]], name: str = "set.tar", before: Members = ()) -> str:
    """A shard of six samples; a member is bytes, or a text, or what JSON makes of anything else."""
    members = [*before]
    for index in range(N):
        for extension, value in of_each(index).items():
            data = value if isinstance(value, bytes) else value if isinstance(value, str) else json.dumps(value)
            members.append((f"{index:04d}.{extension}", data if isinstance(data, bytes) else data.encode()))
    (here() / name).write_bytes(make.tar(members))
    return name


def reading(of_each: Callable[[int], dict[str, object]], *options: str, before: Members = ()) -> Callable[[], list]:
    """Arguments that describe such a shard."""
    return lambda: ["data", shard(of_each, before=before), "--info", "--json", *options]


def img2dataset(index: int, **fields: object) -> dict[str, object]:
    facts = {"caption": "a photo", "url": f"http://x/{index}.jpg", "key": f"{index:04d}", "status": "success"}
    return {"jpg": picture(index, "JPEG"), "json": {**facts, "width": 8, **fields}, "txt": "a photo of it"}


def labelled(index: int) -> dict[str, object]:
    return img2dataset(index, label=index % 3)


def named(index: int) -> dict[str, object]:
    return img2dataset(index, label=NAMES[index % 3])


def masked(index: int, **members: object) -> dict[str, object]:
    return {"jpg": picture(index, "JPEG"), "png": picture(index % 3, channels=1), "cls": str(index % 3), **members}


def either(index: int) -> dict[str, object]:
    return {"png": picture(index)} if index % 2 else {"jpeg": picture(index, "JPEG")}


def webdataset(index: int) -> dict[str, object]:
    return {"input.png": picture(index), "seg.png": picture(index, channels=1), "cls": f"{index % 3}\n"}


def plain(index: int, **members: object) -> dict[str, object]:
    return {"png": picture(index), "cls": str(index % 3), **members}


def with_text(text: Callable[[int], object], kind: str = "txt") -> Callable[[int], dict[str, object]]:
    return lambda index: {"png": picture(index), kind: text(index)}


def name_of(index: int) -> str:
    return f"{NAMES[index % 3]}\n"


HEAD = [("__advtool__/head", Head(NAMES, 3).to_bytes())]
COUNTS = {"parts.0.class_counts": [2, 2, 2], "parts.0.n": N}
NAMED = {**COUNTS, "parts.0.classes": SORTED}


def apart(*groups: tuple[str, ...]) -> list:
    """The members of one group of extensions for all samples, then those of the next."""
    data = {"png": picture(0), "cls": b"1", "json": b"{}"}
    members = [(f"{index}.{name}", data[name]) for group in groups for index in range(N) for name in group]
    (here() / "set.tar").write_bytes(make.tar(members))
    return ["data", "set.tar", "--verify", "--json"]


def two_tars() -> list:
    for name, data in (("png", picture(0)), ("cls", b"1")):
        (here() / f"{'ab'[name == 'cls']}.tar").write_bytes(make.tar([(f"{i}.{name}", data) for i in range(N)]))
    return ["data", "[ab].tar", "--verify"]


def two_folders() -> list:
    members = [(f"images/{i}.png", picture(i)) for i in range(N)] + [(f"labels/{i}.cls", b"1") for i in range(N)]
    (here() / "set.tar").write_bytes(make.tar(members))
    return ["data", "set.tar", "--info"]


def grey_and_colour(*options: str) -> list:
    make.write_classes(here() / "g", {"a": 80, "b": 80})
    (here() / "g/a/zz.png").write_bytes(picture(0))
    return ["data", "g", *options]


def archive() -> str:
    np.savez(here() / "set.npz", x=np.zeros((2, 8, 8), np.uint8), y=np.zeros(2, int))
    return "set.npz"


def digits_with(*options: str) -> Callable[[], list]:
    return lambda: ["data", "digits", "--info", *options]
