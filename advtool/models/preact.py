"""Pre-activation ResNets for CIFAR (He et al. 2016b), under the parameter names of RobustBench."""

import re
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from advtool.io.shape import Shape
from advtool.models.small import scaled

NAME = re.compile(r"preactresnet(18|34)(-v2)?")
_UNITS = {"18": (2, 2, 2, 2), "34": (3, 4, 6, 3)}
VARIANTS: tuple[dict[str, Any], ...] = ({}, {"final_norm": False})
"""Arguments with which published files of one name may have been made."""


class PreActResNet(nn.Module):
    """``preactresnet18``, ``preactresnet34``: a 3×3 convolution, four stages of two-layer units, an affine map.

    There are two networks under these names. That of Rice et al. 2020 normalises before the affine map, and its
    shortcuts see what was normalised and activated. That of Wong et al. 2020, without the last normalisation, has
    shortcuts that see what was not. ``preactresnet18-v2`` without the last normalisation has those of the former.
    """

    def __init__(self, name: str, classes: int, shape: Shape, width: float = 1.0, final_norm: bool = True):
        super().__init__()
        match = NAME.fullmatch(name)
        assert match
        first, *others = (scaled(size, width) for size in (64, 64, 128, 256, 512))
        self.conv1 = nn.Conv2d(shape[0], first, 3, padding=1, bias=False)
        inputs = first
        for index, (size, units) in enumerate(zip(others, _UNITS[match[1]], strict=True)):
            stage = nn.Sequential()
            for unit in range(units):
                stage.append(_Unit(inputs, size, 2 if index and not unit else 1, final_norm or match[2] is not None))
                inputs = size
            self.add_module(f"layer{index + 1}", stage)
        if final_norm:
            self.bn = nn.BatchNorm2d(inputs)
        self.final_norm = final_norm
        self.linear = nn.Linear(inputs, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(x)
        for index in range(4):
            x = self.get_submodule(f"layer{index + 1}")(x)
        return self.linear((F.relu(self.bn(x)) if self.final_norm else x).mean((2, 3)))


class _Unit(nn.Module):
    shortcut: nn.Module

    def __init__(self, inputs: int, outputs: int, stride: int, shortcut_activated: bool):
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.shortcut_activated = shortcut_activated
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        activated = F.relu(self.bn1(x))
        if hasattr(self, "shortcut"):
            x = self.shortcut(activated if self.shortcut_activated else x)
        return x + self.conv2(F.relu(self.bn2(self.conv1(activated))))
