"""What a batch is trained on: one file per family, all behind `Objective`."""

from advtool.models.classifier import Classifier
from advtool.training.config import TrainConfig
from advtool.training.objectives.adversarial import Adversarial, Fast
from advtool.training.objectives.base import Batch, Objective, Outcome
from advtool.training.objectives.free import Free
from advtool.training.objectives.mart import Mart
from advtool.training.objectives.standard import Standard
from advtool.training.objectives.trades import Trades

_KINDS = {"pgd": Adversarial, "fast": Fast, "free": Free, "trades": Trades, "mart": Mart}

__all__ = ["Batch", "Objective", "Outcome", "objective"]


def objective(model: Classifier, config: TrainConfig) -> Objective:
    """The objective of a configuration: standard where nothing is attacked."""
    return (_KINDS[config.objective] if config.attacks else Standard)(model, config)
