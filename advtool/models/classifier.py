"""A network together with everything that is needed to use it: normalisation, classes, input shape."""

from dataclasses import asdict, dataclass, field

import torch
from torch import Tensor, nn


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
    """

    arch: str
    classes: tuple[str, ...]
    shape: tuple[int, int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    args: dict = field(default_factory=dict)

    def to_json(self) -> dict:
        return asdict(self)

    @classmethod
    def from_json(cls, fields: dict) -> "ModelSpec":
        """Rebuild from `to_json`'s output; KeyError, TypeError or ValueError if it is malformed."""
        spec = cls(
            arch=str(fields["arch"]),
            classes=tuple(str(name) for name in fields["classes"]),
            shape=tuple(int(n) for n in fields["shape"]),
            mean=tuple(float(value) for value in fields["mean"]),
            std=tuple(float(value) for value in fields["std"]),
            args=dict(fields["args"]),
        )
        if len(spec.shape) != 3 or not len(spec.mean) == len(spec.std) == spec.shape[0] or min(spec.shape) < 1:
            raise ValueError("shape must be (C, H, W), with a mean and a std for each channel")
        return spec


class Classifier(nn.Module):
    """Takes float pixels in [0, 1], N×C×H×W, and returns logits, N×classes.

    The parameters are those of `net`, under the names that they have there; normalisation is not part of the
    state dict but of `spec`.
    """

    def __init__(self, net: nn.Module, spec: ModelSpec):
        super().__init__()
        self.net = net
        self.spec = spec
        shape = (1, len(spec.mean), 1, 1)
        self.register_buffer("mean", torch.tensor(spec.mean).view(shape), persistent=False)
        self.register_buffer("std", torch.tensor(spec.std).view(shape), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.net((x - self.mean) / self.std)
