"""A model smoothed with Gaussian noise, as gradients can follow it."""

import math

import torch
from torch import Tensor, nn

from advtool import keyed


class Smoothed(nn.Module):
    """Logarithm of the mean probabilities of a model under noise, the same draws in each call.

    What SmoothAdv attacks (Salman et al. 2019, https://arxiv.org/abs/1906.04584, equation 6) in place of the class with
    the most votes, which has no gradient.

    Parameters
    ----------
    model : takes pixels N×C×H×W and returns logits
    sigma : standard deviation of the noise, on the [0, 1] pixel scale; it is not clipped
    shape : of an image, C×H×W
    draws : of the noise
    """

    bank: Tensor

    def __init__(
        self, model: nn.Module, sigma: float, shape: tuple[int, ...], draws: int, seed: int, device: torch.device
    ):
        super().__init__()
        self.model = model
        ids = torch.arange(draws, device=device)
        self.register_buffer("bank", sigma * keyed.normal((draws, *shape), ids, seed), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        noisy = (x[:, None] + self.bank).flatten(0, 1)
        logs = self.model(noisy).log_softmax(1).view(len(x), len(self.bank), -1)
        mean: Tensor = logs.logsumexp(1) - math.log(len(self.bank))
        return mean
