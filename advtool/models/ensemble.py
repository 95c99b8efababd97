"""Several models that are attacked together, as surrogates of one that is not known."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn


class Ensemble(nn.Module):
    """The mean of the logits of several models (Dong et al. 2018, section 3.3), of the same images and classes.

    Attributes
    ----------
    losses : attacks follow the mean of the losses of the models instead of the loss of their mean logits; what counts
        as a success is decided by the mean logits in both
    """

    def __init__(self, members: Iterable[nn.Module], losses: bool = False):
        super().__init__()
        self.members, self.losses = nn.ModuleList(members), losses

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([model(x) for model in self.members]).mean(0)
