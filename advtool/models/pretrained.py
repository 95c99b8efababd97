"""Weights that timm and torchvision publish: out of their caches, fetched only where that is asked for."""

import contextlib
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from advtool.errors import AdvtoolError, UsageError
from advtool.io import checkpoints
from advtool.io.checkpoints import CheckpointFile
from advtool.io.foreign import ForeignFile
from advtool.models import described, timm_nets, vision
from advtool.models.converting import Wanted, convert
from advtool.models.described import Described

_HALVES = ((0.5,) * 3, (0.5,) * 3)
_TRANSFORMING = ("googlenet", "inception_v3")  # their published weights bring pixels to [-1, 1], by themselves


def read(arch: str, download: bool) -> CheckpointFile:
    """The published weights of an architecture, with their classes, normaliser and preprocessing.

    Parameters
    ----------
    arch : ``timm:NAME``, which may end in the tag of its weights, or a classifier of torchvision

    Raises
    ------
    UsageError
        if none are published for it, or none lie in the cache and they are not to be fetched
    AdvtoolError
        if they cannot be fetched
    """
    if arch.startswith(timm_nets.PREFIX):
        return _of_timm(arch.removeprefix(timm_nets.PREFIX), download)
    if vision.find(arch):
        return _of_torchvision(arch, download)
    raise UsageError(f"nobody publishes weights of {arch}; timm and torchvision do of theirs", "pretrained")


def _of_timm(name: str, download: bool) -> CheckpointFile:
    timm_nets.check_known(name)
    import timm

    cfg = timm.get_pretrained_cfg(name)
    if cfg is None or not cfg.has_weights:
        raise UsageError(f"timm publishes no weights of {name}", "pretrained")
    if not download:
        _check_cached(name, cfg)
    with _fetching(f"timm's {name}"), contextlib.nullcontext() if download else _offline():
        net = timm.create_model(name, pretrained=True)
    published: Any = net.pretrained_cfg
    model = replace(described.of_timm_cfg(name, published), arch=timm_nets.PREFIX + name)
    model = replace(model, classes=model.classes or _imagenet_names(published))
    return _converted(f"timm:{name}", net.state_dict(), model)


def _check_cached(name: str, cfg: Any) -> None:
    from huggingface_hub import constants, try_to_load_from_cache

    places = []
    if cfg.hf_hub_id:
        repository = cfg.hf_hub_id.partition("@")[0]
        files = (cfg.hf_hub_filename, "model.safetensors", "pytorch_model.bin")
        if any(isinstance(try_to_load_from_cache(repository, file), str) for file in files if file):
            return
        places.append(f"{repository} in {constants.HF_HUB_CACHE}")
    if cfg.url:
        file = _torch_cache(cfg.url)
        if file.exists() and not cfg.hf_hub_id:
            return
        places += [] if cfg.hf_hub_id else [str(file)]
    raise _not_cached(f"timm:{name}", " or ".join(places))


@contextlib.contextmanager
def _offline() -> Iterator[None]:
    """Nothing is asked of the Hugging Face hub, as with HF_HUB_OFFLINE."""
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


@contextlib.contextmanager
def _fetching(what: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # whatever the libraries of either hub raise without a network
        reason = (str(error) or type(error).__name__).strip().splitlines()[0]
        raise AdvtoolError(f"cannot get the weights of {what} ({reason})") from None


def _imagenet_names(cfg: Mapping[str, Any]) -> tuple[str, ...] | None:
    from timm.data import ImageNetInfo, infer_imagenet_subset

    subset = infer_imagenet_subset(dict(cfg))
    return tuple(ImageNetInfo(subset).label_names()) if subset else None


def _of_torchvision(arch: str, download: bool) -> CheckpointFile:
    import torchvision.models

    name = "googlenet" if arch == "inception" else arch
    weights = torchvision.models.get_model_weights(name).DEFAULT
    file = _torch_cache(weights.url)
    if not file.exists() and not download:
        raise _not_cached(arch, str(file))
    with _fetching(f"torchvision's {name}"):
        state = weights.get_state_dict(progress=False, check_hash=True, weights_only=True)
    shown = weights.transforms()
    crop, resize = shown.crop_size[0], shown.resize_size[0]
    preprocessing = {"size": crop, "crop_pct": crop / resize, "interpolation": shown.interpolation.value}
    normaliser = _HALVES if name in _TRANSFORMING else (tuple(shown.mean), tuple(shown.std))
    classes = tuple(weights.meta["categories"])
    model = Described("torchvision", arch, {}, classes, None, ((3, crop, crop),), normaliser, preprocessing)
    return _converted(file.name, state, model)


def _converted(path: str, state: Mapping[str, Tensor], model: Described) -> CheckpointFile:
    tensors = {name: tensor.detach().clone() for name, tensor in state.items()}
    sha256 = hashlib.sha256(checkpoints.to_bytes(tensors, {})).hexdigest()
    return convert(ForeignFile(path, sha256, {"": tensors}), Wanted(model.arch), model)


def _torch_cache(url: str) -> Path:
    return Path(torch.hub.get_dir()) / "checkpoints" / url.rsplit("/", 1)[-1]


def _not_cached(arch: str, place: str) -> UsageError:
    return UsageError(f"needed, since the weights of {arch} are not on disk (looked for {place})", "download")
