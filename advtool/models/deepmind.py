"""The networks of Gowal et al. 2020, under their parameter names: pre-activation, with SiLU.

Those of Rebuffi et al. 2021, Gowal et al. 2021, Pang et al. 2022 and Wang et al. 2023 are the same, which lead
RobustBench for CIFAR.
"""

import re

import torch.nn.functional as F
from torch import Tensor, nn

from advtool.io.shape import Shape
from advtool.models.normalisers import Normaliser
from advtool.models.small import scaled

WIDE = re.compile(r"dm-wrn-([0-9]{1,5})-([0-9]{1,5})")
PREACT = re.compile(r"dm-preactresnet(18|34)")
_UNITS = {"18": (2, 2, 2, 2), "34": (3, 4, 6, 3)}
_CIFAR10 = ((0.4914, 0.4822, 0.4465), (0.2471, 0.2435, 0.2616))
_CIFAR100 = ((0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762))


def is_deepmind(name: str) -> bool:
    """Whether this is ``dm-preactresnet18``, ``dm-preactresnet34`` or ``dm-wrn-DEPTH-FACTOR``, depth 6n + 4."""
    if match := WIDE.fullmatch(name):
        depth, factor = int(match[1]), int(match[2])
        return depth >= 10 and depth % 6 == 4 and 1 <= factor <= 64
    return PREACT.fullmatch(name) is not None


def normaliser(classes: int, channels: int) -> Normaliser | None:
    """What these networks normalise by, which files of their parameters alone do not hold."""
    if channels != 3:
        return None
    return {10: _CIFAR10, 100: _CIFAR100}.get(classes)


def deepmind(name: str, classes: int, shape: Shape, width: float = 1.0) -> nn.Module:
    """Build one of these networks, by a name that `is_deepmind`."""
    net = DMWideResNet(name, classes, shape, width) if WIDE.fullmatch(name) else DMPreAct(name, classes, shape, width)
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    nn.init.zeros_(net.logits.bias)
    return net


class DMWideResNet(nn.Module):
    """``dm-wrn-DEPTH-FACTOR``: a 3×3 convolution, three stages of (DEPTH − 4)/6 units, an affine map."""

    def __init__(self, name: str, classes: int, shape: Shape, width: float):
        super().__init__()
        match = WIDE.fullmatch(name)
        assert match
        depth, factor = int(match[1]), int(match[2])
        sizes = [scaled(size, width) for size in (16, 16 * factor, 32 * factor, 64 * factor)]
        self.init_conv = nn.Conv2d(shape[0], sizes[0], 3, padding=1, bias=False)
        self.layer = nn.Sequential()
        for index in range(3):
            self.layer.append(_Stage((depth - 4) // 6, sizes[index], sizes[index + 1], 2 if index else 1))
        self.batchnorm = nn.BatchNorm2d(sizes[3])
        self.logits = nn.Linear(sizes[3], classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layer(self.init_conv(x))
        return self.logits(F.silu(self.batchnorm(x)).mean((2, 3)))


class DMPreAct(nn.Module):
    """``dm-preactresnet18`` and ``-34``: a 3×3 convolution, four stages, an affine map; shortcuts are 3×3."""

    def __init__(self, name: str, classes: int, shape: Shape, width: float):
        super().__init__()
        match = PREACT.fullmatch(name)
        assert match
        first, *others = (scaled(size, width) for size in (64, 64, 128, 256, 512))
        self.conv_2d = nn.Conv2d(shape[0], first, 3, padding=1, bias=False)
        inputs = first
        for index, (size, units) in enumerate(zip(others, _UNITS[match[1]], strict=True)):
            stage = nn.Sequential()
            for unit in range(units):
                stage.append(_PreActUnit(inputs, size, 2 if index and not unit else 1))
                inputs = size
            self.add_module(f"layer_{index}", stage)
        self.batchnorm = nn.BatchNorm2d(inputs)
        self.logits = nn.Linear(inputs, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv_2d(x)
        for index in range(4):
            x = self.get_submodule(f"layer_{index}")(x)
        return self.logits(F.silu(self.batchnorm(x)).mean((2, 3)))


class _Stage(nn.Module):
    def __init__(self, units: int, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.block = nn.Sequential(_WideUnit(inputs, outputs, stride))
        for _ in range(units - 1):
            self.block.append(_WideUnit(outputs, outputs, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.block(x)


class _WideUnit(nn.Module):
    shortcut: nn.Module

    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.batchnorm_0 = nn.BatchNorm2d(inputs)
        self.conv_0 = nn.Conv2d(inputs, outputs, 3, stride=stride, bias=False)
        self.batchnorm_1 = nn.BatchNorm2d(outputs)
        self.conv_1 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        if inputs != outputs:
            self.shortcut = nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False)
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        activated = F.silu(self.batchnorm_0(x))
        out = self.conv_1(F.silu(self.batchnorm_1(self.conv_0(_padded(activated, self.stride)))))
        return out + (self.shortcut(activated) if hasattr(self, "shortcut") else x)


class _PreActUnit(nn.Module):
    shortcut: nn.Module

    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.batchnorm_0 = nn.BatchNorm2d(inputs)
        self.conv_2d_1 = nn.Conv2d(inputs, outputs, 3, stride=stride, bias=False)
        self.batchnorm_1 = nn.BatchNorm2d(outputs)
        self.conv_2d_2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Conv2d(inputs, outputs, 3, stride=stride, bias=False)
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        out = self.conv_2d_1(_padded(F.silu(self.batchnorm_0(x)), self.stride))
        out = self.conv_2d_2(F.silu(self.batchnorm_1(out)))
        return out + (self.shortcut(_padded(x, self.stride)) if hasattr(self, "shortcut") else x)


def _padded(x: Tensor, stride: int) -> Tensor:
    """With the zeros around it that TensorFlow's SAME puts there: none above and to the left where it halves."""
    before = 1 if stride == 1 else 0
    return F.pad(x, (before, 1, before, 1))
