"""Accuracy on named sets of images as training goes on (Ilyas et al. 2019, Figure 10)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from advtool.data.arrays import Images
from advtool.device import Settings
from advtool.errors import UsageError
from advtool.evaluation.measure import accuracies
from advtool.models.classifier import Classifier, ModelSpec
from advtool.training.watched import fitted, matched


@dataclass(frozen=True)
class Curves:
    """Sets of images to measure accuracy on after every so many epochs, and after the last one.

    They are watched only: nothing in training depends on them.

    Attributes
    ----------
    sets : name → images
    every : epochs between two measurements
    """

    sets: Mapping[str, Images] = field(default_factory=dict)
    every: int = 1

    def fitted(self, spec: ModelSpec) -> "Curves":
        """The same sets with the labels of the model; images that it does not take, or know, are refused."""
        sets = {name: fitted(images, spec, f"eval_data {name}") for name, images in self.sets.items()}
        return replace(self, sets=sets)

    def measure(self, model: Classifier, epoch: int, last: bool, settings: Settings) -> dict:
        """``{"accuracy": {name: fraction}}`` after epoch number `epoch`, empty if it is not its turn."""
        if not self.sets or (epoch % self.every and not last):
            return {}
        return {
            "accuracy": {
                name: accuracies(model, images, [], settings)["clean"]["accuracy"] for name, images in self.sets.items()
            }
        }

    def to_json(self) -> dict:
        """What is measured."""
        described = {
            name: {"source": images.name, "split": images.split, "n": len(images), **matched(images)}
            for name, images in self.sets.items()
        }
        return {"every": self.every, "sets": described}


def named(specs: Sequence[str], exists: Callable[[str], bool]) -> dict[str, str]:
    """Name → source of ``NAME=SOURCE`` specs; a spec without a name, or that `exists` as it is, is its own name.

    Raises
    ------
    UsageError
        if a name or a source is empty, or a name comes twice
    """
    found: dict[str, str] = {}
    for spec in specs:
        name, separator, source = spec.partition("=")
        if not separator or exists(spec):
            name = source = spec
        if not name.strip() or not source:
            raise UsageError("must be SOURCE or NAME=SOURCE", "eval_data", spec)
        if name in found:
            raise UsageError(f"two sets are called '{name}'; name them with NAME=SOURCE", "eval_data")
        found[name] = source
    return found
