"""advtool: command-line toolkit for adversarial robustness.

Everything that a command does is one call away from Python::

    import advtool
    model = advtool.load("robust.safetensors")   # nn.Module: pixels in [0, 1], N×C×H×W → logits

    from advtool.attacks import pgd
"""

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    if name == "load":  # imports torch, so only on demand
        from advtool.models.checkpoint import load

        return load
    raise AttributeError(f"module 'advtool' has no attribute {name!r}")
