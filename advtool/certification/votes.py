"""The votes of a network on one image under noise."""

import math
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from advtool import keyed, seeds
from advtool.certification.grid import BYTES, WORDS, GridNoise
from advtool.device import in_float32
from advtool.memory import in_halves
from advtool.prepared import in_full, not_finite

LEAD = 1e-5
"""By how much of the largest logit the first class has to lead for its vote to count: more than float32's rounding, by
which the logits of an image change with its batch and with the device."""


_MOST, _COMPONENTS = 8192, 1 << 20


def draws_at_a_time(shape: tuple[int, ...]) -> int:
    """How many draws of an image C×H×W to work on at a time, where nobody says: about a million components."""
    return min(_MOST, max(1, _COMPONENTS // math.prod(shape)))


@dataclass(frozen=True)
class OnGrid:
    """An image in whole steps of a grid.

    Attributes
    ----------
    steps : C×H×W, int64
    levels : steps from 0 to 1
    moved : l2 distance from the image itself, on the [0, 1] pixel scale
    """

    steps: Tensor
    levels: int
    moved: float


def on_grid(pixels: Tensor, levels: int | None = None) -> OnGrid:
    """The nearest image on a grid: that of its 256 values for 8-bit pixels, one of 65,536 for floats in [0, 1].

    Parameters
    ----------
    pixels : C×H×W, uint8 or float32
    levels : of another grid
    """
    if pixels.dtype == torch.uint8 and levels in (None, BYTES):
        return OnGrid(pixels.long(), BYTES, 0.0)
    exact = pixels.double() / (255 if pixels.dtype == torch.uint8 else 1)
    levels = levels or WORDS
    steps = (exact * levels).round()
    return OnGrid(steps.long(), levels, float((exact - steps / levels).norm()))


class Voters:
    """A network that is asked about images under noise of one size.

    Parameters
    ----------
    model : in eval mode, without noise of its own
    sigma : standard deviation of the noise on the [0, 1] pixel scale
    size : draws at a time
    """

    def __init__(self, model: nn.Module, sigma: float, device: torch.device, size: int, seed: int):
        self._model, self._sigma, self._device, self._size, self._seed = model, sigma, device, size, seed
        self._noise: dict[int, GridNoise] = {}

    def noise(self, levels: int) -> GridNoise:
        """The noise on the grid of so many steps."""
        return self._noise.setdefault(levels, GridNoise(self._sigma, levels))

    def votes(self, image: OnGrid, id_: int, use: str, first: int, count: int) -> Tensor:
        """How often each class wins, clearly, in draws first to first + count − 1 of an image: int64, K, on the CPU.

        Parameters
        ----------
        id_ : of the image, see `keyed.ids_of`
        use : name of what they are drawn for; draws for different uses are independent
        """
        seed, total = seeds.derive(self._seed, "certify", use), torch.zeros((), dtype=torch.int64, device=self._device)
        steps = image.steps.to(self._device)
        for start in range(first, first + count, self._size):
            ids = keyed.draws(id_, start, min(self._size, first + count - start), self._device)
            for found in in_halves(partial(self._of, steps, image.levels, ids, seed), len(ids)):
                total = total + found
        return total.cpu()

    def _of(self, steps: Tensor, levels: int, ids: Tensor, seed: int, part: slice) -> Tensor:
        """The votes in a part of the draws with these ids."""
        noise = self.noise(levels).draw((len(ids[part]), *steps.shape), ids[part], seed)
        return clear_winners(self._model, (steps + noise).float() / levels)


@torch.inference_mode()
def clear_winners(model: nn.Module, x: Tensor) -> Tensor:
    """How many images N×C×H×W each class wins by more than `LEAD`: int64, K.

    Raises
    ------
    AdvtoolError
        if logits are not finite
    """
    with in_float32():
        logits = in_full(model(x))
    if not logits.isfinite().all():
        raise not_finite()
    best = logits.topk(min(2, logits.shape[1]), dim=1)
    clear = best.values[:, 0] - best.values[:, -1] > LEAD * logits.abs().amax(1)
    return torch.bincount(best.indices[clear, 0], minlength=logits.shape[1])
