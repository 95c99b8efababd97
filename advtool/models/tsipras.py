"""The CIFAR ResNet of Tsipras et al. 2018."""

import torch.nn.functional as F
from torch import Tensor, nn

from advtool.io.shape import Shape
from advtool.models.small import scaled


def resnet_tsipras(classes: int, shape: Shape, width: float = 1.0) -> nn.Module:
    """The CIFAR-10 ResNet of Tsipras et al. 2018: filters 16, 16, 32, 64, five residual units each.

    As in the authors' CIFAR-10 challenge code: pre-activation units, leaky ReLU of slope 0.1, and shortcuts that
    average-pool and pad the channels with zeros.
    """
    first, *stages = (scaled(size, width) for size in (16, 16, 32, 64))
    layers: list[nn.Module] = [nn.Conv2d(shape[0], first, 3, padding=1, bias=False)]
    channels = first
    for index, size in enumerate(stages):
        for unit in range(5):
            stride = 2 if unit == 0 and index > 0 else 1
            layers.append(_PreActivationUnit(channels, size, stride, activate_before=index == 0 and unit == 0))
            channels = size
    layers += [nn.BatchNorm2d(channels), nn.LeakyReLU(0.1), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    net = nn.Sequential(*layers, nn.Linear(channels, classes))
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return net


class _PreActivationUnit(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int, activate_before: bool):
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.stride, self.padding, self.activate_before = stride, outputs - inputs, activate_before

    def forward(self, x: Tensor) -> Tensor:
        activated = F.leaky_relu(self.bn1(x), 0.1)
        shortcut = activated if self.activate_before else x
        if self.stride > 1:
            shortcut = F.avg_pool2d(shortcut, self.stride, ceil_mode=True)
        if self.padding:
            before = self.padding // 2
            shortcut = F.pad(shortcut, (0, 0, 0, 0, before, self.padding - before))
        return shortcut + self.conv2(F.leaky_relu(self.bn2(self.conv1(activated)), 0.1))
