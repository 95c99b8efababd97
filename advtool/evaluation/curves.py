"""Robust accuracy against the number of steps: does the attack still gain from more of them?

Figure 8 of Ilyas et al. 2019.
"""

import itertools
import time

import torch
from torch import Tensor, nn

from advtool import seeds
from advtool.attacks.pgd import ascend
from advtool.attacks.success import Strongest
from advtool.data.arrays import Images
from advtool.data.batches import Batch
from advtool.data.subset import subset
from advtool.device import Settings
from advtool.evaluation.batch import Indexed, Progress, predictions, unseen
from advtool.evaluation.cascade import cascade
from advtool.evaluation.counts import AttackCount
from advtool.evaluation.plan import Stage
from advtool.prepared import Network
from advtool.registry import Planned

SEARCH_IMAGES = 200


def strongest_of(model: nn.Module, images: Images, stage: Stage, settings: Settings) -> Planned:
    """The candidate that leaves fewest of 200 images standing; of equal ones the one nearest to the middle."""
    part = Indexed(subset(images, SEARCH_IMAGES, settings.seed), settings)
    clean, candidates = predictions(model, part), stage.candidates
    left = [cascade(model, part, (candidate,), clean, settings).standing for candidate in candidates]
    best = min(range(len(candidates)), key=lambda index: (left[index], abs(index - len(left) // 2)))
    return candidates[best]


def read_along(
    model: nn.Module, images: Indexed, stage: Stage, clean: Tensor, settings: Settings, progress: Progress = unseen
) -> list[tuple[int, AttackCount]]:
    """(images that stand, count of the attack) after each of the stage's numbers of steps, from one run of PGD.

    Parameters
    ----------
    model : in eval mode, with frozen parameters
    clean : int64, N, the predictions for the clean images
    """
    (attack,), right = stage.attacks, clean == images.labels
    network = images.prepared(model)
    left, seconds = [0] * stage.entries, [0.0] * stage.entries
    for places, batch in images.batches(right.nonzero()[:, 0]):
        for index, (standing, spent) in enumerate(_read(network, batch, attack, stage.read_at, settings)):
            left[index] += standing
            seconds[index] += spent
        progress(len(places) * stage.entries)
    progress((len(images) - int(right.sum())) * stage.entries)
    attacked = int(right.sum())
    counts = [AttackCount(attacked, attacked - standing, spent) for standing, spent in zip(left, seconds, strict=True)]
    return list(zip(left, counts, strict=True))


def _read(
    network: Network, batch: Batch, attack: Planned, read_at: tuple[int, ...], settings: Settings
) -> list[tuple[int, float]]:
    """(how many of a batch stand, seconds since the start) after each number of steps."""
    started, found = time.perf_counter(), []
    x, y, ids = batch
    z, ball = x, attack.ball
    if attack.options["random_start"] and ball.eps > 0:
        seed = seeds.derive(seeds.derive(settings.seed, "evaluation"), "restart", 0)
        z = (x + ball.random(x, ids, seed)).clamp(0, 1)
    strongest, rows = Strongest(network, x, y, early_stop=True), torch.arange(len(x), device=x.device)
    for before, after in itertools.pairwise((0, *read_at)):
        if len(rows):
            z, rows = ascend(
                network,
                x[rows],
                y[rows],
                z.clone(),
                ball,
                steps=after - before,
                step_size=attack.options["step_size"],
                strongest=strongest,
                rows=rows,
            )
            network.check()
        strongest.settle()
        standing = ~strongest.success[rows]
        z, rows = z[standing], rows[standing]
        found.append((len(rows), time.perf_counter() - started))
    return found
