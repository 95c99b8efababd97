"""An exponential moving average of the weights as the model that is kept."""

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from advtool.models.classifier import Classifier


class Average:
    """Follows a model; `model` has the averaged weights, and running statistics of BatchNorm averaged with them.

    The decay at step t is min(decay, (1+t)/(10+t)), so that short runs average over their last tenth and not over
    the random weights that they began with.

    Attributes
    ----------
    model : in eval mode
    """

    def __init__(self, model: Classifier, decay: float):
        def average(mean: Tensor, value: Tensor, t: Tensor | int) -> Tensor:
            if not mean.is_floating_point():
                return value
            return torch.lerp(value, mean, min(decay, (1 + int(t)) / (10 + int(t))))

        self._averaged = AveragedModel(model.net, avg_fn=average, use_buffers=True)
        self.model = Classifier(self._averaged.module, model.spec).to(model.mean.device).eval()

    def update(self, model: Classifier) -> None:
        """Take in the model after an optimiser step."""
        self._averaged.update_parameters(model.net)

    def state(self) -> dict[str, Tensor]:
        return {name: value.detach().clone() for name, value in self._averaged.state_dict().items()}

    def restore(self, state: dict[str, Tensor]) -> None:
        self._averaged.load_state_dict(state)
