"""A network together with everything that is needed to use it: normalisation, classes, input shape."""

import math
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from advtool import bounds
from advtool.io.shape import Shape, as_shape


@dataclass(frozen=True)
class ModelSpec:
    """What determines a model but its weights.

    Attributes
    ----------
    arch : name in the registry
    classes : class names, in the order of the logits
    shape : (C, H, W) of the input
    mean, std : per channel, on the [0, 1] pixel scale
    args : arguments of the architecture, such as ``width``
    pixels : the only components of C×H×W, flattened, that the model sees; None for all
    """

    arch: str
    classes: tuple[str, ...]
    shape: Shape
    mean: tuple[float, ...]
    std: tuple[float, ...]
    args: dict = field(default_factory=dict)
    pixels: tuple[int, ...] | None = None

    def to_json(self) -> dict:
        fields = asdict(self)
        if self.pixels is None:
            del fields["pixels"]
        return fields

    @classmethod
    def from_json(cls, fields: dict) -> "ModelSpec":
        """Rebuild from `to_json`'s output; KeyError, TypeError or ValueError, naming the field, if it is malformed."""
        spec = cls(
            arch=_typed(fields, "arch", str),
            classes=tuple(map(str, _list_of(fields, "classes", str | int))),
            shape=_shape(_list_of(fields, "shape", int)),
            mean=tuple(map(float, _list_of(fields, "mean", int | float))),
            std=tuple(map(float, _list_of(fields, "std", int | float))),
            args=_typed(fields, "args", dict),
            pixels=tuple(_list_of(fields, "pixels", int)) if fields.get("pixels") is not None else None,
        )
        if not 0 < len(spec.classes) <= bounds.CLASSES:
            raise ValueError(f"classes: {len(spec.classes)}, not 1 to {bounds.CLASSES}")
        if math.prod(spec.shape[1:]) > bounds.PIXELS:
            raise ValueError(f"shape: more than {bounds.PIXELS} pixels")
        if not all(map(math.isfinite, spec.mean)):
            raise ValueError("mean: not finite")
        if not all(0 < value < math.inf for value in spec.std):
            raise ValueError("std: not positive and finite")
        if not len(spec.mean) == len(spec.std) == spec.shape[0]:
            raise ValueError("there must be a mean and a std for each channel")
        if spec.pixels is not None and not all(0 <= index < math.prod(spec.shape) for index in spec.pixels):
            raise ValueError("pixels must lie in the image")
        return spec


class Classifier(nn.Module):
    """Takes float pixels in [0, 1], N×C×H×W, and returns logits, N×classes.

    The parameters are those of `net`, under the names that they have there; normalisation and the selection of
    pixels are not part of the state dict but of `spec`. Pixels that are not selected have the value 0 after
    normalisation, the mean of their channel.

    Attributes
    ----------
    noise : standard deviation of Gaussian noise on the pixels, not clipped, that every call draws anew
    """

    noise: float = 0.0

    mean: Tensor
    std: Tensor
    mask: Tensor | None

    def __init__(self, net: nn.Module, spec: ModelSpec):
        super().__init__()
        self.net = net
        self.spec = spec
        shape = (1, len(spec.mean), 1, 1)
        self.register_buffer("mean", torch.tensor(spec.mean).view(shape), persistent=False)
        self.register_buffer("std", torch.tensor(spec.std).view(shape), persistent=False)
        self.register_buffer("mask", _mask(spec), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        if self.noise:
            x = x + self.noise * torch.randn_like(x)
        logits: Tensor = self.net(self.normalised(x))
        return logits

    def normalised(self, x: Tensor) -> Tensor:
        """What the network is given of pixels in [0, 1]."""
        x = (x - self.mean) / self.std
        return x if self.mask is None else x * self.mask


def _typed(fields: dict, name: str, kind: Any) -> Any:
    value = fields[name]
    if not isinstance(value, kind) or isinstance(value, bool):
        raise TypeError(f"{name}: {type(value).__name__} where a {getattr(kind, '__name__', kind)} is meant")
    return value


def _list_of(fields: dict, name: str, kind: Any) -> list:
    values: list = _typed(fields, name, list | tuple)
    for value in values:
        if not isinstance(value, kind) or isinstance(value, bool):
            raise TypeError(f"{name}: {type(value).__name__} in the list")
    return values


def _shape(values: list[int]) -> Shape:
    if len(values) != 3:
        raise ValueError(f"shape: {len(values)} numbers, not 3")
    return as_shape(values)


def _mask(spec: ModelSpec) -> Tensor | None:
    """1 where the model sees, 0 elsewhere: 1×C×H×W; None if it sees everything."""
    if spec.pixels is None:
        return None
    mask = torch.zeros(math.prod(spec.shape))
    mask[list(spec.pixels)] = 1
    return mask.view(1, *spec.shape)
