"""What the configuration files of timm and transformers say about the model beside them."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from advtool.errors import AdvtoolError
from advtool.io.shape import Shape
from advtool.models import timm_nets, transformers_nets
from advtool.models.normalisers import Normaliser

_INTERPOLATIONS = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic", 4: "box", 5: "hamming"}
_SQUASHED_FROM = 384  # processors with a crop_pct scale to this size and above without a crop
_CROP_PCT = 0.875
_CROPPED = ("convnext", "convnextv2", "regnet", "resnet")  # model types whose processor is that of ConvNeXT
_UNNAMED = re.compile(r"LABEL_[0-9]+")


@dataclass(frozen=True)
class Described:
    """A model as its configuration describes it; None for what that does not say.

    Attributes
    ----------
    library : ``timm``, ``transformers`` or ``torchvision``
    num_classes : where they have no names
    shapes : of the images, as several places say; the first that the weights fit is meant
    preprocessing : how images come to the size that the model takes: ``size`` of the square, ``crop_pct``,
        ``interpolation``, and ``crop_mode`` ``squash`` where the aspect ratio is not kept
    """

    library: str
    arch: str
    args: dict[str, Any]
    classes: tuple[str, ...] | None = None
    num_classes: int | None = None
    shapes: tuple[Shape, ...] = ()
    normaliser: Normaliser | None = None
    preprocessing: dict[str, Any] | None = None


def describe(config: dict[str, Any] | None, processor: dict[str, Any] | None, path: str) -> Described | None:
    """Read ``config.json`` and ``preprocessor_config.json``; None if the former describes no image classifier.

    Parameters
    ----------
    path : of the weights, for messages

    Raises
    ------
    AdvtoolError
        if a value in them has another form than the libraries write
    """
    if config is None:
        return None
    try:
        if isinstance(config.get("architecture"), str):
            return _of_timm(config)
        names = config.get("architectures")
        if isinstance(names, list) and names and all(isinstance(name, str) for name in names):
            return _of_transformers(names[0], config, processor or {})
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, ArithmeticError, RecursionError) as error:
        raise AdvtoolError(f"{path}: cannot make sense of the config.json beside it ({error!r})") from None
    return None


def of_timm_cfg(architecture: str, cfg: Mapping[str, Any]) -> Described:
    """What timm's ``pretrained_cfg`` says of published weights."""
    return _of_timm({"architecture": architecture, "pretrained_cfg": dict(cfg)})


def _of_timm(config: dict[str, Any]) -> Described:
    cfg = {**config, **(config.get("pretrained_cfg") or {})}
    args = timm_nets.essential(config.get("model_args") or {})
    shapes: list[Shape] = []
    preprocessing = None
    if cfg.get("input_size"):
        channels, height, width = (int(size) for size in cfg["input_size"])
        built = config.get("model_args") or {}
        channels = int(built.get("in_chans") or channels)
        if built.get("img_size"):
            shapes.append((channels, *_sides(built["img_size"])))
        shapes.append((channels, height, width))
        if height == width:
            squash = {"crop_mode": "squash"} if cfg.get("crop_mode") == "squash" else {}
            preprocessing = {
                "size": height,
                "crop_pct": float(cfg.get("crop_pct") or _CROP_PCT),
                "interpolation": str(cfg.get("interpolation") or "bilinear"),
                **squash,
            }
    classes = _timm_classes(config, cfg)
    arch = timm_nets.PREFIX + config["architecture"].split(".")[0]
    given = {"settings": args} if args else {}
    normaliser = _normaliser(cfg.get("mean"), cfg.get("std"))
    return Described("timm", arch, given, classes, None, tuple(shapes), normaliser, preprocessing)


def _timm_classes(config: dict[str, Any], cfg: dict[str, Any]) -> tuple[str, ...] | None:
    names = config.get("label_names") or cfg.get("label_names") or config.get("labels") or cfg.get("labels")
    if isinstance(names, dict):
        return _in_order(names)
    if isinstance(names, list | tuple) and names:
        return tuple(str(name) for name in names)
    return _in_order(config["id2label"]) if config.get("id2label") else None


def _of_transformers(name: str, config: dict[str, Any], processor: dict[str, Any]) -> Described:
    preprocessing = _preprocessing(processor, str(config.get("model_type")))
    sizes = [(preprocessing or {}).get("size"), config.get("image_size")]
    channels = int(config.get("num_channels", 3))
    shapes: tuple[Shape, ...] = tuple(dict.fromkeys((channels, *_sides(size)) for size in sizes if size))
    mean, std = processor.get("image_mean"), processor.get("image_std")
    if processor.get("do_normalize") is False:
        mean, std = [0.0] * 3, [1.0] * 3
    classes = _in_order(config["id2label"]) if config.get("id2label") else None
    arch = transformers_nets.PREFIX + name
    args = {"config": transformers_nets.essential(config)}
    number = len(config.get("id2label") or "") or int(config.get("num_labels", 2))
    return Described("transformers", arch, args, classes, number, shapes, _normaliser(mean, std), preprocessing)


def _preprocessing(processor: dict[str, Any], model_type: str) -> dict[str, Any] | None:
    """Of a processor of transformers; None where it does not make squares."""
    size, crop = _side(processor.get("size")), _side(processor.get("crop_size"))
    if size is None:
        return None
    resample = processor.get("resample", 2)
    found: dict[str, Any] = {"size": size, "crop_pct": 1.0, "interpolation": _INTERPOLATIONS.get(resample, "bilinear")}
    kind = processor.get("image_processor_type") or processor.get("feature_extractor_type")
    cropping = str(kind).startswith("ConvNext") if kind else model_type in _CROPPED and crop is None
    squash = isinstance(processor["size"], dict) and "height" in processor["size"]
    if cropping or "crop_pct" in processor:
        squash = size >= _SQUASHED_FROM
        if not squash:
            found["crop_pct"] = float(processor.get("crop_pct") or _CROP_PCT)
    elif crop is not None and processor.get("do_center_crop", True):
        found |= {"size": crop, "crop_pct": crop / size}
    elif not squash and isinstance(processor["size"], int):
        squash = True  # processors before 2023 wrote one number for both sides
    return found | ({"crop_mode": "squash"} if squash else {})


def _sides(size: Any) -> tuple[int, int]:
    height, width = (size, size) if isinstance(size, int) else size
    return int(height), int(width)


def _side(size: object) -> int | None:
    """Of a square, in any of the ways in which processors write it."""
    if isinstance(size, dict):
        if "shortest_edge" in size:
            return int(size["shortest_edge"])
        return int(size["height"]) if "height" in size and size["height"] == size.get("width") else None
    return size if isinstance(size, int) else None


def _in_order(names: dict[str, Any]) -> tuple[str, ...] | None:
    """Class names by index; None where there is a gap, or they were never named."""
    by_index = {int(index): str(name) for index, name in names.items()}
    ordered = tuple(by_index[index] for index in sorted(by_index))
    if sorted(by_index) != list(range(len(by_index))) or all(_UNNAMED.fullmatch(name) for name in ordered):
        return None
    return ordered


def _normaliser(mean: Any, std: Any) -> Normaliser | None:
    if mean is None or std is None:
        return None
    means, stds = (tuple(float(value) for value in (v if isinstance(v, list | tuple) else [v])) for v in (mean, std))
    if len(means) != len(stds) or not all(map(math.isfinite, means)) or not all(0 < s < math.inf for s in stds):
        raise ValueError(f"means {means} and deviations {stds}")
    return means, stds
