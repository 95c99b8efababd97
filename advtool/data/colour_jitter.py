"""Jitter of colours and small rotations, as the `robustness` library (Engstrom et al. 2019) trains on CIFAR-10."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

STRENGTH, DEGREES = 0.25, 2.0
"""Factors are drawn from 1 ± 0.25, angles from ±2°."""

_GREY = (0.2989, 0.587, 0.114)


def jitter(x: Tensor, draws: Tensor) -> Tensor:
    """Change brightness, then contrast, then saturation of each image, as torchvision's functions do.

    Parameters
    ----------
    x : N×C×H×W in [0, 1]; grey images have no saturation
    draws : uniform in [0, 1), N×3
    """
    factors = (1 + STRENGTH * (2 * draws - 1)).view(len(x), 3, 1, 1, 1)
    x = (x * factors[:, 0]).clamp(0, 1)
    x = _blended(x, _grey(x).mean((1, 2, 3), keepdim=True), factors[:, 1])
    return _blended(x, _grey(x), factors[:, 2]) if x.shape[1] == 3 else x


def rotate(x: Tensor, draws: Tensor) -> Tensor:
    """Turn each image by up to 2° about its centre, to the nearest pixels; black where there was no image.

    Parameters
    ----------
    x : N×C×H×W
    draws : uniform in [0, 1), N
    """
    angles = math.radians(DEGREES) * (2 * draws - 1)
    cosine, sine, zero = angles.cos(), angles.sin(), torch.zeros_like(angles)
    height, width = x.shape[2:]
    # anticlockwise, as one sees it; affine_grid counts in halves of each side
    rows = torch.stack((cosine, -sine * height / width, zero, sine * width / height, cosine, zero), 1)
    grid = F.affine_grid(rows.view(-1, 2, 3), list(x.shape), align_corners=False)
    return F.grid_sample(x, grid.to(x.dtype), mode="nearest", padding_mode="zeros", align_corners=False)


def _grey(x: Tensor) -> Tensor:
    """N×1×H×W."""
    if x.shape[1] != 3:
        return x
    weights = torch.tensor(_GREY, dtype=x.dtype).to(x.device, non_blocking=True)
    return (x * weights.view(1, 3, 1, 1)).sum(1, keepdim=True)


def _blended(x: Tensor, other: Tensor, factor: Tensor) -> Tensor:
    return (factor * x + (1 - factor) * other).clamp(0, 1)
