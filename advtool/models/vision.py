"""torchvision's networks, under torchvision's parameter names, fitted to the size of the images.

They were made for 224 pixels. Images of up to 64 pixels get the stem that is usual for CIFAR: a first convolution
of 3×3 and stride 1, and no pooling after it.
"""

import re
from collections.abc import Callable
from functools import partial
from types import MethodType
from typing import Any

from torch import nn

from advtool.io.shape import Shape
from advtool.models.width import fit_first_convolution, initialise, widened, with_channels

SMALL_IMAGE = 64
_STRIDES_TO_KEEP = 3
_ALL_STRIDES = 5


def find(name: str) -> Callable[..., nn.Module] | None:
    """The builder of a classifier of torchvision, None if there is none of that name."""
    import torchvision.models

    if name == "inception":
        return inception
    if name not in torchvision.models.list_models(module=torchvision.models):
        return None
    for pattern, builder in _FAMILIES.items():
        if re.match(pattern, name):
            return partial(builder, name)
    return partial(unchanged, name)


def resnet(name: str, classes: int, shape: Shape, width: float = 1.0) -> nn.Module:
    """ResNet (He et al. 2016), ResNeXt or Wide ResNet."""
    net = _torchvision(name)(weights=None, num_classes=classes)
    if _small(shape):
        net.conv1 = _stem(shape, net.conv1)
        net.maxpool = nn.Identity()
    else:
        net.conv1 = with_channels(net.conv1, shape[0])
    return widened(net, width, shape)


def vgg(name: str, classes: int, shape: Shape, width: float = 1.0) -> nn.Module:
    """VGG (Simonyan and Zisserman 2015).

    For small images the network that is usual for CIFAR: batch normalisation after each convolution, whether the name
    ends in ``_bn`` or not, and one affine map of 512 features instead of three layers of 25,088, 4,096 and 4,096.
    """
    if not _small(shape):
        net = _torchvision(name)(weights=None, num_classes=classes)
        net.features[0] = with_channels(net.features[0], shape[0])
        return widened(net, width, shape)
    net = nn.Sequential()
    net.features = _vgg_features(name, shape[0])
    net.avgpool = nn.AdaptiveAvgPool2d(1)
    net.flatten = nn.Flatten()
    net.classifier = nn.Linear(512, classes)
    initialise(net)
    return widened(net, width, shape)


def densenet(name: str, classes: int, shape: Shape, width: float = 1.0) -> nn.Module:
    """DenseNet (Huang et al. 2017)."""
    net = _torchvision(name)(weights=None, num_classes=classes)
    if _small(shape):
        net.features.conv0 = _stem(shape, net.features.conv0)
        net.features.pool0 = nn.Identity()
    else:
        net.features.conv0 = with_channels(net.features.conv0, shape[0])
    return widened(net, width, shape)


def inception(classes: int, shape: Shape, width: float = 1.0) -> nn.Module:
    """Inception v1, GoogLeNet (Szegedy et al. 2015), with batch normalisation and without auxiliary classifiers."""
    net = _torchvision("googlenet")(
        weights=None, num_classes=classes, aux_logits=False, transform_input=False, init_weights=False
    )
    if _small(shape):
        net.conv1.conv = _stem(shape, net.conv1.conv)
        net.maxpool1 = net.maxpool2 = nn.Identity()
    else:
        net.conv1.conv = with_channels(net.conv1.conv, shape[0])
    initialise(net)
    return widened(net, width, shape)


def unchanged(name: str, classes: int, shape: Shape) -> nn.Module:
    """Any other classifier of torchvision.

    Mobile nets and EfficientNets keep three of their five strides for small images; the others are as for 224 pixels.
    """
    options: dict = {}
    if name == "inception_v3":
        options = {"aux_logits": False, "transform_input": False, "init_weights": False}
    elif name.startswith("vit_"):
        options = {"image_size": shape[1]}
    elif name.startswith("maxvit"):
        options = {"input_size": shape[1:]}
    net = _torchvision(name)(weights=None, num_classes=classes, **options)
    if name.startswith("mnasnet"):  # its own method refuses plain dictionaries of tensors
        net._load_from_state_dict = MethodType(nn.Module._load_from_state_dict, net)
    fit_first_convolution(net, shape[0])
    if _small(shape) and re.match("mobilenet|efficientnet|mnasnet", name):
        strided = [m for m in net.modules() if isinstance(m, nn.Conv2d) and m.stride != (1, 1)]
        for convolution in strided[: _ALL_STRIDES - _STRIDES_TO_KEEP]:
            convolution.stride = (1, 1)
    return net


_FAMILIES = {
    "resnet|resnext|wide_resnet": resnet,
    "vgg": vgg,
    "densenet": densenet,
    "googlenet": lambda name, classes, shape, width=1.0: inception(classes, shape, width),
}


def _torchvision(name: str) -> Callable[..., Any]:
    import torchvision.models

    return getattr(torchvision.models, name)


def _vgg_features(name: str, channels: int) -> nn.Sequential:
    from torchvision.models.vgg import cfgs, make_layers

    depth = int(re.sub(r"\D", "", name))
    features = make_layers(cfgs[{11: "A", 13: "B", 16: "D", 19: "E"}[depth]], batch_norm=True)
    for module in features:
        if isinstance(module, nn.MaxPool2d):
            module.ceil_mode = True  # five halvings of fewer than 32 pixels leave one pixel, not none
    first = features[0]
    if isinstance(first, nn.Conv2d):
        features[0] = with_channels(first, channels)
    return features


def _small(shape: Shape) -> bool:
    return max(shape[1:]) <= SMALL_IMAGE


def _stem(shape: Shape, convolution: nn.Conv2d) -> nn.Conv2d:
    return with_channels(convolution, shape[0], kernel_size=3, stride=1, padding=1)
