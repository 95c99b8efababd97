"""An exponential moving average of the weights as the model that is kept."""

import copy

import torch
from torch import Tensor

from advtool.models.classifier import Classifier

_MODULE, _COUNT = "module.", "n_averaged"


class Average:
    """Follows a model; `model` has the averaged weights, and running statistics of BatchNorm averaged with them.

    The decay at step t is min(decay, (1+t)/(10+t)), so that short runs average over their last tenth and not over
    the random weights that they began with.

    Attributes
    ----------
    model : in eval mode
    """

    def __init__(self, model: Classifier, decay: float):
        self._decay, self._steps = decay, 0
        self.model = Classifier(copy.deepcopy(model.net), model.spec).to(model.mean.device).eval()
        self.model.net.requires_grad_(False)

    @torch.no_grad()
    def update(self, model: Classifier) -> None:
        """Take in the model after an optimiser step."""
        means, values = _tensors(self.model), _tensors(model)
        self._steps += 1
        t = self._steps - 1
        decay = min(self._decay, (1 + t) / (10 + t)) if t else 0.0
        floating = [mean.is_floating_point() for mean in means]
        torch._foreach_lerp_(
            [mean for mean, is_float in zip(means, floating, strict=True) if is_float],
            [value for value, is_float in zip(values, floating, strict=True) if is_float],
            1 - decay,
        )
        for mean, value, is_float in zip(means, values, floating, strict=True):
            if not is_float:
                mean.copy_(value)

    def state(self) -> dict[str, Tensor]:
        """As torch's `AveragedModel` has it."""
        weights = {_MODULE + name: value.detach().clone() for name, value in self.model.net.state_dict().items()}
        return {_COUNT: torch.tensor(self._steps), **weights}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Put `state` back."""
        weights = {name.removeprefix(_MODULE): value for name, value in state.items() if name != _COUNT}
        self.model.net.load_state_dict(weights)
        self._steps = int(state[_COUNT])


def _tensors(model: Classifier) -> list[Tensor]:
    return [*model.net.parameters(), *model.net.buffers()]
