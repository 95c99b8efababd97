"""Hostile checkpoints of ours: metadata, architectures, types; and images that an architecture cannot take."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from hostile.corpus import JSON_VALUES, MODEL, Input, checkpoint, many, opened, put, safetensors_of

EVAL = ["eval", "--ckpt", "evil.safetensors", "--data", "digits", "-n", "3"]


def inputs() -> Iterator[Input]:
    for field in ("arch", "classes", "shape", "mean", "std", "args", "pixels", "schema", "preprocessing"):
        yield from many(
            "metadata", rf"evil.safetensors: .*({_WORDS.get(field, field)}|metadata is not JSON)", EVAL, _fields(field)
        )
    yield from many("metadata", "evil.safetensors", EVAL, _metadata())
    yield from many("H4 giant architectures", "evil.safetensors", EVAL, _giants())
    yield from many("S10 weights of other types", "evil.safetensors: '1.weight'", EVAL, _types())
    for arch, shape in _TOO_SMALL.items():
        make = partial(_images, shape)
        for extra in ([], ["--dry-run"]):
            words = ["train", "--data", "evil", "--arch", arch, "--epochs", "1", "-o", "made", *extra]
            name = f"{arch} on {shape}{' '.join(['', *extra])}"
            yield Input("shapes that an architecture cannot take", name, _built(make, words), arch)


_WORDS = {
    "arch": "(arch|architecture)",
    "mean": "(mean|metadata)",
    "classes": "(classes|does not fit)",
    "args": "(args|architecture)",
}
_VALID = {
    ("pixels", "null"),
    ("pixels", "list"),
    ("preprocessing", "null"),
    ("args", "mapping"),
}
_TOO_SMALL = {"vit_b_16": 8, "inception_v3": 8, "alexnet": 8, "swin_t": 1, "timm:vit_tiny_patch16_224": 8, "cnn": 3}


def _built(make: Callable[[], None], words: list[str]) -> Callable[[], list[str]]:
    def build() -> list[str]:
        make()
        return words

    return build


def _images(side: int) -> None:
    import numpy as np
    import shard_factory

    for label in "ab":
        for number in range(3):
            image = np.full((side, side), 80 * number, np.uint8)
            put(f"evil/{label}/{number}.png", shard_factory.encode(image, "PNG"))


def _evil(*arguments: Any, **options: Any) -> Callable[[], None]:
    return lambda: put("evil.safetensors", checkpoint(*arguments, **options))


def _fields(field: str) -> dict[str, Callable[[], None]]:
    values = {name: value for name, value in JSON_VALUES.items() if (field, name) not in _VALID}
    return {f"{field}: {name}": _evil(as_text={field: value}) for name, value in values.items()}


def _metadata() -> dict[str, Callable[[], None]]:
    found: dict[str, Callable[[], None]] = {}
    for field in ("mean", "std"):
        for name in ("infinity", "nan", "1e400", "10^400", "text", "null", "true", "list"):
            found[f"{field}: a list of {name}"] = _evil(as_text={field: f"[{JSON_VALUES[name]}]"})
    for value in (0, -1, -0.0):
        found[f"std of {value}"] = _evil(std=[value])
    for name, pixels in {"beyond": [10**6], "negative": [-1], "of text": ["a"], "10^400": [10**400]}.items():
        found[f"pixels {name}"] = _evil(pixels=pixels)
    for name, shape in {
        "huge": [1, 10**9, 10**9],
        "zero": [0, 8, 8],
        "of four": [1, 1, 8, 8],
        "other": [3, 8, 8],
    }.items():
        found[f"shape {name}"] = _evil(shape=shape)
    for size, crop in ((0, 1), (8, 0), (8, 1e-300), (8, 5e-324), (10**9, 1), (8, "a"), ("a", 1), (8, 2)):
        found[f"preprocessing {size} {crop}"] = _evil(preprocessing={"size": size, "crop_pct": crop})
    texts = {
        "no JSON": "{",
        "a list": "[]",
        "nothing": "",
        "deep": "[" * 200_000,
        "10^5000": '{"schema":' + "1" * 5_000 + "}",
    }
    found |= {name: lambda t=text: put("evil.safetensors", safetensors_of(t, {})) for name, text in texts.items()}
    found["of a million classes"] = _evil(classes=[str(n) for n in range(1_000_000)])
    found["of 40 MB"] = _evil(classes=["x" * 40_000_000])
    return found


def _giants() -> dict[str, Callable[[], None]]:
    archs: dict[str, dict[str, Any]] = {
        "wrn-99994-64": {},
        "dm-wrn-99994-64": {},
        "wrn-1000-64": {},
        "wrn-28-64": {},
        "resnet152": {"width": 100},
        "mlp": {"hidden": [10**6] * 3},
        "mlp ": {"hidden": [10**12]},
        "mlp  ": {"hidden": [2] * 10**6},
        "mlp   ": {"width": 1e300},
        "mlp    ": {"width": -1},
        "cnn": {"width": 10_000},
        "cnn-small": {"width": 5_000},
        "linear": {"width": 2},
        "vgg19": {"width": 90},
        "densenet201": {"width": 50},
        "vit_h_14": {},
        "regnet_y_128gf": {},
        "timm:vit_tiny_patch16_224": {"settings": {"depth": 10**5}},
        "timm:resnet18": {"settings": {"layers": [10**4] * 4}},
        "timm:vit_base_patch16_224": {"settings": {"embed_dim": 10**6, "num_heads": 1}},
        "timm:vit_small_patch16_224": {"settings": {"depth": 10**12}},
        "timm:resnet34": {"settings": {"layers": "x"}},
        "timm:resnet50": {"settings": []},
        "timm:swin_tiny_patch4_window7_224": {"settings": {"window_size": 200}},
        "transformers:ViTForImageClassification": {"config": {"hidden_size": 120_000, "num_attention_heads": 1}},
        "transformers:ViTForImageClassification ": {"config": {"num_hidden_layers": 10**6}},
        "transformers:ResNetForImageClassification": {"config": {"depths": [10**5] * 4}},
        "transformers:ResNetForImageClassification ": {"config": {"hidden_sizes": [10**6] * 4}},
        "transformers:TimmWrapperForImageClassification": {"config": {"architecture": "hf-hub:evil/model"}},
        "transformers:ViTForImageClassification  ": {"config": [1]},
    }
    return {f"{arch} {str(args)[:60]}": _evil(arch=arch.strip(), args=args) for arch, args in archs.items()}


def _types() -> dict[str, Callable[[], None]]:
    sizes = {"F8_E4M3": 1, "F8_E5M2": 1, "I64": 8, "I8": 1, "U8": 1, "BOOL": 1, "C64": 8, "U16": 2, "I32": 4}

    def build(kind: str, size: int) -> None:
        _, own = opened(MODEL)
        shape = own["1.weight"][1]
        own["1.weight"] = (kind, shape, bytes(size * shape[0] * shape[1]))
        put("evil.safetensors", checkpoint(own))

    return {kind: partial(build, kind, size) for kind, size in sizes.items()}
