"""What may be built: how deep, how large, and of what arguments, whoever asks for it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn
from torch.nn.modules.module import (
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
)
from torch.nn.parameter import is_lazy

from advtool import bounds
from advtool.errors import UsageError

MOST = bounds.CHECKPOINT_BYTES // 4
"""Parameters in float32 that a file of weights may hold."""
_LARGEST, _LONGEST, _DEEPEST = 1_000_000, 10_000, 8
_FETCHES = ("hf-hub:", "hf_hub:", "local-dir:")


_SLACK = 1 << 25  # for tables that are in no file, such as those of relative positions


class TooLarge(UsageError):
    """An architecture is deeper or larger than any that is in use."""


def most_for(tensors: Mapping[str, Tensor]) -> int:
    """How many numbers a network may hold that weights from a file are for."""
    return 2 * sum(tensor.numel() for tensor in tensors.values()) + _SLACK


@contextmanager
def limited(arch: str, most: int = MOST) -> Iterator[None]:
    """Stop what is built in the block when it has too many layers or parameters, before those are initialised."""
    layers = parameters = 0

    def add_layer(*_: object) -> None:
        nonlocal layers
        layers += 1
        if layers > bounds.LAYERS:
            raise TooLarge(f"architecture {arch} has more than {bounds.LAYERS:,} layers")

    def add_parameter(_: nn.Module, __: str, parameter: nn.Parameter | None) -> None:
        nonlocal parameters
        if parameter is not None and not is_lazy(parameter):
            parameters += parameter.numel()
        if parameters > most:
            raise TooLarge(f"architecture {arch} has more than {most:,} parameters")

    hooks = (
        register_module_module_registration_hook(add_layer),
        register_module_parameter_registration_hook(add_parameter),
    )
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def check_arguments(arch: str, value: Any, name: str = "", level: int = 0) -> None:
    """Refuse arguments of an architecture that no published one has: huge numbers, long lists, names to be fetched."""
    where = f"architecture {arch}: its argument {name[:100]}" if name else f"architecture {arch}"
    if level > _DEEPEST:
        raise TooLarge(f"{where} is nested too deeply")
    if isinstance(value, int | float) and not abs(value) <= _LARGEST:
        raise TooLarge(f"{where} is {str(value)[:20]}, not between -{_LARGEST} and {_LARGEST}")
    if isinstance(value, str) and (len(value) > _LONGEST or value.startswith(_FETCHES)):
        raise TooLarge(f"{where} names something that would have to be fetched, or is very long")
    if isinstance(value, dict | list | tuple):
        if len(value) > _LONGEST:
            raise TooLarge(f"{where} has {len(value):,} entries, more than {_LONGEST:,}")
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            check_arguments(arch, inner, f"{name}.{key}" if name else str(key), level + 1)
