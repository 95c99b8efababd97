"""Any network with every layer made wider or narrower, and its input fitted to other channels."""

from typing import Any

import torch
from torch import nn

from advtool.errors import UsageError
from advtool.io.shape import Shape
from advtool.models.small import scaled


def widened(net: nn.Module, width: float, shape: Shape) -> nn.Module:
    """The network with `width` times the channels and units in each layer but the last.

    Numbers of inputs follow from a forward pass, so that concatenated branches fit whatever rounding did to them.
    The weights are drawn anew: He-normal for convolutions, PyTorch's default for affine maps.

    Raises
    ------
    UsageError
        if the network has grouped convolutions, whose groups would not divide the channels
    """
    if width == 1:
        return net
    *_, last = (name for name, module in net.named_modules() if isinstance(module, nn.Linear))
    for name, module in list(net.named_modules()):
        parent, _, child = name.rpartition(".")
        if isinstance(module, nn.Conv2d | nn.BatchNorm2d | nn.Linear):
            setattr(net.get_submodule(parent), child, _lazy(module, 1 if name == last else width))
    net.eval()
    with torch.no_grad():
        net(torch.zeros(1, *shape))
    initialise(net)
    return net.train()


def initialise(net: nn.Module) -> None:
    """Draw the weights of convolutions as He et al. 2015 do, scaled by their outputs; zero their biases."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def with_channels(convolution: nn.Conv2d, channels: int, **changes: Any) -> nn.Conv2d:
    """A new convolution that takes that many channels, otherwise like the given one but for `changes`."""
    if channels == convolution.in_channels and not changes:
        return convolution
    settings = {
        name: getattr(convolution, name) for name in ("kernel_size", "stride", "padding", "dilation", "padding_mode")
    }
    settings |= {"bias": convolution.bias is not None} | changes
    fresh = nn.Conv2d(channels, convolution.out_channels, **settings)
    nn.init.kaiming_normal_(fresh.weight, mode="fan_out", nonlinearity="relu")
    return fresh


def fit_first_convolution(net: nn.Module, channels: int) -> None:
    """Replace the first convolution where the images do not have the channels that it takes."""
    for name, module in net.named_modules():
        if isinstance(module, nn.Conv2d):
            parent, _, child = name.rpartition(".")
            setattr(net.get_submodule(parent), child, with_channels(module, channels))
            return


def _lazy(module: nn.Conv2d | nn.BatchNorm2d | nn.Linear, width: float) -> nn.Module:
    if isinstance(module, nn.BatchNorm2d):
        return nn.LazyBatchNorm2d(module.eps, module.momentum, module.affine, module.track_running_stats)
    bias = module.bias is not None
    if isinstance(module, nn.Linear):
        return nn.LazyLinear(scaled(module.out_features, width), bias)
    if module.groups != 1:
        raise UsageError("this architecture has grouped convolutions, which are not scaled", parameter="width")
    shape = {name: getattr(module, name) for name in ("kernel_size", "stride", "padding", "dilation")}
    return nn.LazyConv2d(scaled(module.out_channels, width), **shape, bias=bias)
