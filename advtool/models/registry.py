"""The architectures, by name."""

import inspect
import math
from collections.abc import Callable
from functools import partial

import torch
from torch import nn

from advtool import bounds
from advtool.errors import UsageError, unknown
from advtool.io.shape import Shape, shape_text
from advtool.models import deepmind, limits, preact, small, timm_nets, transformers_nets, vision
from advtool.models.classifier import Classifier, ModelSpec
from advtool.models.tsipras import resnet_tsipras
from advtool.models.wide import WideResNet, is_wide_resnet

_OWN: dict[str, Callable[..., nn.Module]] = {
    "linear": small.linear,
    "mlp": small.mlp,
    "cnn-small": small.cnn_small,
    "cnn": small.cnn,
    "resnet-tsipras": resnet_tsipras,
}
NAMES = (
    *_OWN,
    *("resnet18", "resnet50", "vgg11", "vgg16", "densenet121", "inception"),
    *("wrn-28-10", "wrn-34-10", "preactresnet18", "preactresnet34", "dm-wrn-28-10", "dm-preactresnet18"),
)
"""The architectures that are fitted to small images; those of torchvision and timm come on top."""


def find(arch: str) -> Callable[..., nn.Module]:
    """What builds an architecture: one of `NAMES`, any of torchvision's classifiers, ``timm:NAME``, or
    ``transformers:CLASS``, which is made from a configuration.

    Raises
    ------
    UsageError
        if there is no such architecture
    """
    if arch in _OWN:
        return _OWN[arch]
    if is_wide_resnet(arch):
        return partial(WideResNet, arch)
    if preact.NAME.fullmatch(arch):
        return partial(preact.PreActResNet, arch)
    if deepmind.is_deepmind(arch):
        return partial(deepmind.deepmind, arch)
    if arch.startswith(timm_nets.PREFIX):
        return partial(timm_nets.timm_net, arch.removeprefix(timm_nets.PREFIX))
    if arch.startswith(transformers_nets.PREFIX):
        return partial(transformers_nets.transformers_net, arch.removeprefix(transformers_nets.PREFIX))
    if builder := vision.find(arch):
        return builder
    raise unknown("architecture", arch, NAMES)


class Unfit(UsageError):
    """An architecture does not take images of that shape, or the value of one of its arguments."""


def build(spec: ModelSpec, most: int = limits.MOST) -> Classifier:
    """Make a freshly initialised model.

    Parameters
    ----------
    most : parameters that it may have

    Raises
    ------
    UsageError
        if there is no such architecture, it does not take one of the arguments, the images are too small, or it is
        deeper or larger than any that is in use
    """
    builder = find(spec.arch)
    accepted = inspect.signature(builder).parameters
    for name in spec.args:
        if name not in accepted:
            raise UsageError(f"architecture {spec.arch} takes none", parameter=name)
    if spec.arch == "cnn" and min(spec.shape[1:]) < 4:
        raise UsageError("architecture cnn needs images of at least 4×4 pixels")
    limits.check_arguments(spec.arch, spec.args)
    if math.prod(spec.shape[1:]) > bounds.PIXELS:
        raise UsageError(f"images of {shape_text(spec.shape)}, more than {bounds.PIXELS} pixels")
    try:
        with limits.limited(spec.arch, most):
            model = Classifier(builder(len(spec.classes), spec.shape, **spec.args), spec)
    except (UsageError, MemoryError):
        raise
    except Exception as error:  # of PyTorch and the libraries, over a shape or arguments that they do not take
        if "memory" in str(error):
            raise
        args = f" with {', '.join(spec.args)}" if spec.args else ""
        reason = (str(error) or type(error).__name__).strip().splitlines()[0]
        message = f"architecture {spec.arch}{args} cannot take {shape_text(spec.shape)} images ({reason})"
        raise Unfit(message) from error
    return model


def laid_out(model: Classifier) -> Classifier:
    """The model, its weights with channels last where that pays in training.

    Backward on large images with fewer than 16 channels crashes in oneDNN with them.
    """
    wide = all(module.out_channels >= 16 for module in model.modules() if isinstance(module, nn.Conv2d))
    return model.to(memory_format=torch.channels_last) if wide else model


@torch.no_grad()
def check_runs(model: Classifier) -> None:
    """Refuse an architecture that cannot take images of the size that its spec says.

    Raises
    ------
    UsageError
        with the reason in PyTorch's words
    """
    training = model.training
    spec = model.spec
    try:
        logits = model.eval()(torch.zeros(1, *spec.shape))
    except Exception as error:
        if isinstance(error, MemoryError) or "memory" in str(error):
            raise
        reason = (str(error) or type(error).__name__).strip().splitlines()[0]
        raise UsageError(f"architecture {spec.arch} cannot take {shape_text(spec.shape)} images ({reason})") from None
    if logits.shape != (1, len(spec.classes)):
        raise UsageError(f"architecture {spec.arch} gives {shape_text(logits.shape[1:])} outputs, not one per class")
    model.train(training)


def default_arch(shape: Shape) -> str:
    """The architecture for images of this shape when none is named."""
    side = max(shape[1:])
    if side <= 16:
        return "cnn-small"
    if side <= 28:
        return "cnn"
    return "resnet18" if side <= vision.SMALL_IMAGE else "resnet50"
