"""The architectures, by name."""

import inspect
from collections.abc import Callable
from functools import partial

import torch
from torch import nn

from advtool.errors import UsageError, unknown
from advtool.models import resnets, small
from advtool.models.classifier import Classifier, ModelSpec

_BUILDERS: dict[str, Callable[..., nn.Module]] = {
    "linear": small.linear,
    "mlp": small.mlp,
    "cnn-small": small.cnn_small,
    "cnn": small.cnn,
    "resnet18": partial(resnets.torchvision_resnet, "resnet18"),
    "resnet50": partial(resnets.torchvision_resnet, "resnet50"),
    "resnet-tsipras": resnets.resnet_tsipras,
}
NAMES = tuple(_BUILDERS)


def build(spec: ModelSpec) -> Classifier:
    """Make a freshly initialised model.

    Raises
    ------
    UsageError
        if there is no such architecture, it does not take one of the arguments, or the images are too small
    """
    if spec.arch not in _BUILDERS:
        raise unknown("architecture", spec.arch, NAMES)
    builder = _BUILDERS[spec.arch]
    accepted = inspect.signature(builder).parameters
    for name in spec.args:
        if name not in accepted:
            raise UsageError(f"architecture {spec.arch} takes no --{name}")
    if spec.arch == "cnn" and min(spec.shape[1:]) < 4:
        raise UsageError("architecture cnn needs images of at least 4×4 pixels")
    model = Classifier(builder(len(spec.classes), spec.shape, **spec.args), spec)
    return model.to(memory_format=torch.channels_last)


def default_arch(shape: tuple[int, int, int]) -> str:
    """The architecture for images of this shape when none is named."""
    side = max(shape[1:])
    if side <= 16:
        return "cnn-small"
    if side <= 28:
        return "cnn"
    return "resnet18" if side <= resnets.SMALL_IMAGE else "resnet50"
