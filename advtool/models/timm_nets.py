"""Networks of the timm library, by name; an optional dependency."""

from typing import Any

from torch import nn

from advtool.errors import UsageError, spelled_alike
from advtool.io.shape import Shape

PREFIX = "timm:"
_LEFT_OUT = frozenset({"num_classes", "in_chans", "img_size", "checkpoint_path", "cache_dir"})


def essential(settings: dict[str, Any]) -> dict[str, Any]:
    """Arguments that a configuration gives to `timm.create_model`, without those that name files or weights."""
    return {
        name: value
        for name, value in settings.items()
        if name not in _LEFT_OUT and not name.startswith(("pretrained", "_"))
    }


def timm_net(name: str, classes: int, shape: Shape, settings: dict[str, Any] | None = None) -> nn.Module:
    """timm's network, freshly initialised, for images of this shape; nothing is downloaded.

    Parameters
    ----------
    settings : further arguments of `timm.create_model`, as a ``config.json`` records them

    Raises
    ------
    UsageError
        if timm is not installed, or has no such network
    """
    check_known(name)
    import timm

    wanted = {**essential(settings or {}), "pretrained": False, "num_classes": classes, "in_chans": shape[0]}
    try:
        return timm.create_model(name, img_size=shape[1:], **wanted)
    except TypeError:  # convolutional networks have no fixed image size
        return timm.create_model(name, **wanted)
    except AssertionError as error:
        raise _refusal(name, f"does not fit {shape[1]}×{shape[2]} images ({error})") from None


def check_known(name: str) -> None:
    """Raise UsageError if timm is not installed, or has no such network."""
    try:
        import timm
    except ImportError:
        raise _refusal(name, "timm is not installed (pip install 'advtool[timm]')") from None
    if not timm.is_model(name):
        near = spelled_alike(name, timm.list_models())
        hint = f"did you mean {' or '.join(near)}?" if near else "timm.list_models() names them all"
        raise _refusal(name, f"timm has no such network; {hint}")


def _refusal(name: str, reason: str) -> UsageError:
    return UsageError(reason, parameter="arch", value=PREFIX + name)
