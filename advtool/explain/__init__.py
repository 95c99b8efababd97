"""What models look at: attributions, adversarial pictures, and numbers beside them.

::

    import advtool
    from advtool.data.arrays import load
    from advtool.data.sources import resolve
    from advtool.explain import explain

    result = explain(advtool.load("robust.safetensors"), load(resolve("digits", "test"), 10), "smoothgrad")
    result.picture("png")  # bytes
    result.report["models"][0]["measures"]
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from advtool.explain.results import ExplainWarning, Result
    from advtool.explain.run import explain
    from advtool.explain.saliency import gradient, integrated_gradients, smoothgrad
    from advtool.explain.sample_pictures import samples
    from advtool.explain.settings import Explanation

_HOMES = {
    "ExplainWarning": "results",
    "Explanation": "settings",
    "Result": "results",
    "explain": "run",
    "gradient": "saliency",
    "integrated_gradients": "saliency",
    "samples": "sample_pictures",
    "smoothgrad": "saliency",
}
__all__ = [
    "ExplainWarning",
    "Explanation",
    "Result",
    "explain",
    "gradient",
    "integrated_gradients",
    "samples",
    "smoothgrad",
]


def __getattr__(name: str) -> object:
    """What is exported, imported when it is asked for: most of it needs torch."""
    if name in _HOMES:
        return getattr(import_module(f"advtool.explain.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'advtool.explain' has no attribute {name!r}")
