"""The smallest perturbation found that changes the answer of a smoothed classifier, the one that is certified.

An attack follows the mean probabilities under a few draws of noise (Salman et al. 2019). What it finds is put on the
grid of the pixels and asked there as images are: another answer counts where PREDICT of Cohen et al. 2019 gives it.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from advtool import norms, registry, seeds
from advtool.certification.binomial import answers
from advtool.certification.votes import OnGrid, Voters
from advtool.device import Settings
from advtool.models.smoothed import Smoothed

ATTACK, STEPS, DRAWS = "ddn", 100, 64
"""What is run, and under how many draws."""

ASKED = 1_000
"""Draws by which an answer is found out."""

_FARTHER = (1.0, 1.03, 1.06, 1.1, 1.15, 1.2, 1.3, 1.4, 1.6, 1.8, 2.0)
_HALVINGS = 6


class Adversary:
    """Looks for the nearest image with another answer.

    Parameters
    ----------
    alpha : chance, at most, that an answer is not that of the smoothed classifier
    """

    def __init__(self, model: nn.Module, voters: Voters, sigma: float, alpha: float, settings: Settings):
        self._model, self._voters, self._sigma = model, voters, sigma
        self._alpha, self._settings = alpha, settings

    def nearest(self, image: OnGrid, answer: int, id_: int) -> float | None:
        """l2 distance, on the [0, 1] pixel scale, of the nearest image found that has another answer; None for none.

        Parameters
        ----------
        answer : of the image itself
        """
        x = (image.steps.double() / image.levels).to(self._settings.device)
        way = self._attacked(x.float(), answer, id_).double() - x
        length = float(way.norm())
        if not length:
            return None
        asked, best, below, above = 0, None, 0.5 * length, None
        for t in self._lengths(length):
            distance = self._changed(image, x + t / length * way, answer, id_, asked)
            asked += 1
            if distance is not None:
                best, above = distance, t
                break
            below = t
        for _ in range(_HALVINGS if above is not None else 0):
            assert above is not None and best is not None
            t = (below + above) / 2
            distance = self._changed(image, x + t / length * way, answer, id_, asked)
            asked += 1
            if distance is None:
                below = t
            else:
                best, above = min(best, distance), t
        return best

    @staticmethod
    def _lengths(length: float) -> Iterator[float]:
        """Where to look for another answer along a way of this length, and beyond."""
        return (length * factor for factor in _FARTHER)

    def _attacked(self, x: Tensor, answer: int, id_: int) -> Tensor:
        """Where the attack takes an image C×H×W."""
        seed = seeds.derive(self._settings.seed, "bracket")
        smoothed = Smoothed(self._model, self._sigma, tuple(x.shape), DRAWS, seed, x.device).eval()
        plan = registry.get(ATTACK).plan(norms.ball("l2"), {"steps": STEPS})
        label, ids = torch.tensor([answer], device=x.device), torch.tensor([id_], device=x.device)
        found: Tensor = plan(smoothed, x[None], label, ids=ids, seed=seed)[0]
        return found

    def _changed(self, image: OnGrid, point: Tensor, answer: int, id_: int, number: int) -> float | None:
        """How far from the image a point is on the grid, if it has another answer there."""
        steps = (point.clamp(0, 1) * image.levels).round().long().cpu()
        votes = self._voters.votes(OnGrid(steps, image.levels, 0.0), id_, f"bracket {number}", 0, ASKED)
        (first, second), (best, _) = (found.tolist() for found in votes.topk(2))
        if best == answer or not answers(first, second, self._alpha):
            return None
        return float((steps - image.steps).double().norm()) / image.levels
