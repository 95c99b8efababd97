"""Small networks for digits: linear, fully connected, and two convolutional ones."""

import itertools
import math
from collections.abc import Sequence

from torch import nn

from advtool.io.shape import Shape


def linear(classes: int, shape: Shape) -> nn.Module:
    """One affine map from pixels to logits."""
    return nn.Sequential(nn.Flatten(), nn.Linear(math.prod(shape), classes))


def mlp(classes: int, shape: Shape, hidden: Sequence[int] = (1024, 1024), width: float = 1.0) -> nn.Module:
    """Fully connected ReLU network; the default hidden sizes are those of Collins et al. 2019."""
    sizes = [math.prod(shape), *(scaled(size, width) for size in hidden)]
    layers: list[nn.Module] = [nn.Flatten()]
    for inputs, outputs in itertools.pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(sizes[-1], classes))


def cnn_small(classes: int, shape: Shape, width: float = 1.0) -> nn.Module:
    """Two 3×3 convolutions, the second with stride 2, and an affine map: made for 8×8 digits."""
    channels, height, side = shape
    first, second = scaled(64, width), scaled(128, width)
    return nn.Sequential(
        nn.Conv2d(channels, first, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(first, second, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(second * math.ceil(height / 2) * math.ceil(side / 2), classes),
    )


def cnn(classes: int, shape: Shape, width: float = 1.0) -> nn.Module:
    """The MNIST network of Tsipras et al. 2018: 5×5×32, pool, 5×5×64, pool, fully connected 1,024."""
    channels, height, side = shape
    first, second, third = (scaled(size, width) for size in (32, 64, 1024))
    return nn.Sequential(
        nn.Conv2d(channels, first, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(first, second, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(second * (height // 4) * (side // 4), third),
        nn.ReLU(),
        nn.Linear(third, classes),
    )


def scaled(size: int, width: float) -> int:
    """A layer size times the width factor, at least 1."""
    return max(1, round(size * width))
