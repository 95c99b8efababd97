"""Augmentation on the device: each image of a batch gets its own random crop and flip."""

import torch
import torch.nn.functional as F
from torch import Tensor

from advtool import keyed
from advtool.data.colour_jitter import jitter, rotate

PADDING = 4


def augment(x: Tensor, ids: Tensor, seed: int, kind: str) -> Tensor:
    """Shift each image by up to 4 pixels (zero padding), mirror every second one, and more, as `kind` says.

    Parameters
    ----------
    x : N×C×H×W
    ids : N, int64; what the draws are keyed by, beside the seed
    kind : ``none``, ``crop``, ``flip``, ``crop+flip``, or that with ``+jitter+rotate``, see `colour_jitter`; of ``rrc``
        and ``rrc+flip`` the random-resized crop has been made where the image was decoded
    """
    if kind == "none":
        return x
    draws = keyed.uniform((len(x), 7), ids, seed)
    if "crop" in kind:
        x = _crop(x, (draws[:, :2] * (2 * PADDING + 1)).long())
    if "flip" in kind:
        x = torch.where((draws[:, 2] < 0.5).view(-1, 1, 1, 1), x.flip(3), x)
    if "jitter" in kind:
        x = jitter(x, draws[:, 3:6])
    if "rotate" in kind:
        x = rotate(x, draws[:, 6])
    return x


def _crop(x: Tensor, offsets: Tensor) -> Tensor:
    n, _, height, width = x.shape
    padded = F.pad(x, (PADDING,) * 4).permute(0, 2, 3, 1)
    rows = (offsets[:, :1] + torch.arange(height, device=x.device)).view(n, height, 1)
    columns = (offsets[:, 1:] + torch.arange(width, device=x.device)).view(n, 1, width)
    image = torch.arange(n, device=x.device).view(n, 1, 1)
    return padded[image, rows, columns].permute(0, 3, 1, 2).contiguous()
