"""The optimisers: torch's own, without what they load for the sake of its compiler."""

from typing import Any

import torch
from torch import nn

from advtool.training.config import TrainConfig


def optimizer_of(model: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """SGD with momentum or AdamW on the weights of a model, as configured."""
    if config.optimizer == "sgd":
        return _plainly(torch.optim.SGD)(
            model.parameters(), config.lr, momentum=config.momentum, weight_decay=config.weight_decay
        )
    return _plainly(torch.optim.AdamW)(
        model.parameters(), config.lr, betas=(config.momentum, 0.999), weight_decay=config.weight_decay
    )


def _plainly(kind: type[torch.optim.Optimizer]) -> Any:
    """The class without the wrappers that hide its methods from torch.compile: they import all of it, a second of work.

    Of a torch that does not wrap them so, the class as it is.
    """
    bare = {name: method.__wrapped__ for name in dir(kind) if hasattr(method := getattr(kind, name), "__wrapped__")}
    if "step" in bare:
        bare["step"] = torch.no_grad()(bare["step"])
    return type(kind.__name__, (kind,), bare)
