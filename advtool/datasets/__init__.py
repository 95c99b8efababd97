"""Datasets made from models and from other labels: samples in, samples out.

::

    from advtool.data.sources import resolve
    from advtool.datasets import Shift, relabel

    reader = resolve("digits").open()
    for sample in relabel(reader, 10, Shift(reader.head.classes, 1)):
        ...
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from advtool.datasets.adversarial import AdversarialTally, adversarial_samples
    from advtool.datasets.distilled import DistilledTally, Recipe, distilled_samples
    from advtool.datasets.predicted import predicted_samples
    from advtool.datasets.relabelled import RelabelTally, relabel
    from advtool.datasets.rules import Grouping, Random, Rule, Shift
    from advtool.datasets.starts import Noise, Pool, Starts

_HOMES = {
    "AdversarialTally": "adversarial",
    "DistilledTally": "distilled",
    "Grouping": "rules",
    "Noise": "starts",
    "Pool": "starts",
    "Random": "rules",
    "Recipe": "distilled",
    "RelabelTally": "relabelled",
    "Rule": "rules",
    "Shift": "rules",
    "Starts": "starts",
    "adversarial_samples": "adversarial",
    "distilled_samples": "distilled",
    "predicted_samples": "predicted",
    "relabel": "relabelled",
}
__all__ = [
    "AdversarialTally",
    "DistilledTally",
    "Grouping",
    "Noise",
    "Pool",
    "Random",
    "Recipe",
    "RelabelTally",
    "Rule",
    "Shift",
    "Starts",
    "adversarial_samples",
    "distilled_samples",
    "predicted_samples",
    "relabel",
]


def __getattr__(name: str) -> object:
    """What is exported, imported when it is asked for: most of it needs torch."""
    if name in _HOMES:
        return getattr(import_module(f"advtool.datasets.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'advtool.datasets' has no attribute {name!r}")
