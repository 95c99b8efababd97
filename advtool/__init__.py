"""advtool: command-line toolkit for adversarial robustness.

Everything that a command does is one call away from Python::

    import advtool
    model = advtool.load("robust.safetensors")   # nn.Module: pixels in [0, 1], N×C×H×W → logits

    from advtool.attacks import pgd
"""

from importlib import import_module

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    if name == "load":  # imports torch, so only on demand
        return import_module("advtool.models.checkpoint").load
    raise AttributeError(f"module 'advtool' has no attribute {name!r}")
