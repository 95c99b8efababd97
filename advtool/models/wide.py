"""Wide ResNets of Zagoruyko and Komodakis 2016, under the parameter names of TRADES and RobustBench."""

import re

import torch.nn.functional as F
from torch import Tensor, nn

from advtool.io.shape import Shape
from advtool.models.small import scaled

NAME = re.compile(r"wrn-([0-9]{1,5})-([0-9]{1,5})")


def is_wide_resnet(name: str) -> bool:
    """Whether this is ``wrn-DEPTH-FACTOR`` with a depth of 6n + 4."""
    depth, factor = _numbers(name)
    return depth >= 10 and depth % 6 == 4 and 1 <= factor <= 64


def _numbers(name: str) -> tuple[int, int]:
    """Depth and factor; 0 if the name is of something else."""
    match = NAME.fullmatch(name)
    return (int(match[1]), int(match[2])) if match else (0, 0)


class WideResNet(nn.Module):
    """``wrn-DEPTH-FACTOR``: a 3×3 convolution, three stages of (DEPTH − 4)/6 pre-activation units, an affine map."""

    def __init__(self, name: str, classes: int, shape: Shape, width: float = 1.0):
        super().__init__()
        depth, factor = _numbers(name)
        sizes = [scaled(size, width) for size in (16, 16 * factor, 32 * factor, 64 * factor)]
        self.conv1 = nn.Conv2d(shape[0], sizes[0], 3, padding=1, bias=False)
        units = (depth - 4) // 6
        self.block1 = _Stage(units, sizes[0], sizes[1], 1)
        self.block2 = _Stage(units, sizes[1], sizes[2], 2)
        self.block3 = _Stage(units, sizes[2], sizes[3], 2)
        self.bn1 = nn.BatchNorm2d(sizes[3])
        self.fc = nn.Linear(sizes[3], classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        nn.init.zeros_(self.fc.bias)

    def forward(self, x: Tensor) -> Tensor:
        x = self.block3(self.block2(self.block1(self.conv1(x))))
        return self.fc(F.relu(self.bn1(x)).mean((2, 3)))


class _Stage(nn.Module):
    def __init__(self, units: int, inputs: int, outputs: int, stride: int):
        super().__init__()
        first = _Unit(inputs, outputs, stride)
        self.layer = nn.Sequential(first, *(_Unit(outputs, outputs, 1) for _ in range(units - 1)))

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x)


class _Unit(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        if inputs != outputs:
            self.convShortcut = nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        activated = F.relu(self.bn1(x))
        out = self.conv2(F.relu(self.bn2(self.conv1(activated))))
        return out + (self.convShortcut(activated) if hasattr(self, "convShortcut") else x)
