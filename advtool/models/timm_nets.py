"""Networks of the timm library, by name; an optional dependency."""

import difflib
from typing import Any

from torch import nn

from advtool.errors import UsageError
from advtool.io.shape import Shape

PREFIX = "timm:"


def timm_net(name: str, classes: int, shape: Shape) -> nn.Module:
    """timm's network, freshly initialised, for images of this shape; nothing is downloaded.

    Raises
    ------
    UsageError
        if timm is not installed, or has no such network
    """
    try:
        import timm
    except ImportError:
        raise _refusal(name, "timm is not installed (pip install 'advtool[timm]')") from None
    if not timm.is_model(name):
        near = difflib.get_close_matches(name, timm.list_models(), n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else "timm.list_models() names them all"
        raise _refusal(name, f"timm has no such network; {hint}")
    settings: dict[str, Any] = {"pretrained": False, "num_classes": classes, "in_chans": shape[0]}
    try:
        return timm.create_model(name, img_size=shape[1:], **settings)
    except TypeError:  # convolutional networks have no fixed image size
        return timm.create_model(name, **settings)
    except AssertionError as error:
        raise _refusal(name, f"does not fit {shape[1]}×{shape[2]} images ({error})") from None


def _refusal(name: str, reason: str) -> UsageError:
    return UsageError(reason, parameter="arch", value=PREFIX + name)
