"""What a batch is trained on: one file per family, all behind `Objective`."""

from collections.abc import Callable

from torch import Tensor

from advtool.models.classifier import Classifier
from advtool.registry import load
from advtool.training.config import TrainConfig
from advtool.training.kinds import OBJECTIVES
from advtool.training.objectives.awp import perturbed
from advtool.training.objectives.base import Batch, Objective, Outcome
from advtool.training.objectives.smooth_adv import SmoothAdv
from advtool.training.objectives.standard import Standard

__all__ = ["Batch", "Objective", "Outcome", "objective"]


def objective(model: Classifier, config: TrainConfig, forward: Callable[[Tensor], Tensor] | None = None) -> Objective:
    """The objective of a configuration: standard where nothing is attacked.

    Parameters
    ----------
    forward : what logits come from whose gradient by the weights is wanted; by default the model
    """
    found: Objective = _kind(config)(model, config)
    found.forward = forward or model
    return perturbed(found, model, config) if config.attacks else found


def _kind(config: TrainConfig) -> type[Objective]:
    if not config.attacks:
        return Standard
    if config.noise:
        return SmoothAdv
    found: type[Objective] = load(OBJECTIVES[config.objective].objective)
    return found
