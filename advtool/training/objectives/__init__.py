"""What a batch is trained on: one file per family, all behind `Objective`."""

from advtool.models.classifier import Classifier
from advtool.registry import load
from advtool.training.config import TrainConfig
from advtool.training.kinds import OBJECTIVES
from advtool.training.objectives.awp import perturbed
from advtool.training.objectives.base import Batch, Objective, Outcome
from advtool.training.objectives.standard import Standard

__all__ = ["Batch", "Objective", "Outcome", "objective"]


def objective(model: Classifier, config: TrainConfig) -> Objective:
    """The objective of a configuration: standard where nothing is attacked."""
    if not config.attacks:
        return Standard(model, config)
    found: Objective = load(OBJECTIVES[config.objective].objective)(model, config)
    return perturbed(found, model, config)
