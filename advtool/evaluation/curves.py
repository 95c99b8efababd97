"""Robust accuracy against the number of steps: does the attack still gain from more of them?

Figure 8 of Ilyas et al. 2019.
"""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from advtool import keyed, registry
from advtool.attacks.ball import Ball
from advtool.attacks.guard import logits_of, untouched
from advtool.attacks.pgd import ascend
from advtool.attacks.success import Strongest
from advtool.data.arrays import Images
from advtool.data.batches import in_order
from advtool.data.subset import subset
from advtool.device import Settings
from advtool.evaluation.evaluate import Progress, risk
from advtool.evaluation.statistics import accuracy
from advtool.registry import Planned

SEARCHED = (0.25, 0.5, 1.0, 2.0, 4.0)
SEARCH_IMAGES = 200
PLATEAU = 0.01


def steps_curve(
    model: nn.Module,
    images: Images,
    ball: Ball,
    steps: Sequence[int],
    settings: Settings,
    step_size: float | None = None,
    search: bool = False,
    random_start: bool | None = None,
    progress: Progress = lambda count: None,
) -> list[dict]:
    """Accuracy on the strongest PGD iterate after each number of steps: an entry each, with ``curve`` set.

    With one step size for all, it is one long attack read at those steps. Otherwise the step size belongs to the
    number of steps (2.5·eps/steps), and each number is an attack of its own.

    Parameters
    ----------
    steps : increasing numbers of steps
    search : for each number of steps try 1/4 to 4 times the step size on 200 images, and take the strongest
    """
    steps = sorted(set(steps))
    if step_size is not None and not search:
        threat = _pgd(ball, steps[-1], step_size, random_start)
        return _entries(_survivors(model, images, threat, steps, settings, progress), threat, steps, images, None)
    entries = []
    for count in steps:
        threat = _pgd(ball, count, step_size, random_start)
        if search:
            threat = search_step_size(model, images, threat, settings)
        survivors = _survivors(model, images, threat, [count], settings, progress)
        entries += _entries(survivors, threat, [count], images, SEARCHED if search else None)
    return entries


def search_step_size(model: nn.Module, images: Images, threat: Planned, settings: Settings) -> Planned:
    """The attack with the step size, out of 1/4 to 4 times its own, that leaves fewest of 200 images standing."""
    part = subset(images, SEARCH_IMAGES, settings.seed)
    candidates = [_with(threat, step_size=factor * threat.options["step_size"]) for factor in SEARCHED]
    left = [_survivors(model, part, c, [c.options["steps"]], settings, lambda count: None)[-1] for c in candidates]
    return candidates[min(range(len(candidates)), key=lambda index: (left[index], abs(index - len(left) // 2)))]


def plateau(entries: Sequence[dict]) -> dict:
    """Whether the last doubling or so of the steps still gained more than one point of accuracy."""
    *_, before, last = entries
    gain = before["accuracy"] - last["accuracy"]
    return {"reached": gain <= PLATEAU, "gain": gain, "from_steps": before["steps"], "to_steps": last["steps"]}


def _survivors(
    model: nn.Module, images: Images, threat: Planned, steps: Sequence[int], settings: Settings, progress: Progress
) -> list[int]:
    """Number of images that clean and after 0 and each of these numbers of steps are classified correctly."""
    totals = [0] * (len(steps) + 1)
    with untouched(model):
        for x, y, ids in in_order(images, settings.batch_size, settings.device):
            for index, count in enumerate(_read_at(model, x, y, ids, threat, steps, settings.seed)):
                totals[index] += count
            progress(len(x))
    return totals


def _read_at(model, x: Tensor, y: Tensor, ids: Tensor, threat: Planned, steps: Sequence[int], seed: int) -> list[int]:
    with torch.no_grad():
        standing = logits_of(model, x).argmax(1) == y
    z = x
    if threat.options["random_start"] and threat.ball.eps > 0:
        delta = threat.ball.random(x, ids, keyed.derive(seed, "evaluation"))
        z = (x + delta).clamp(0, 1)
    counts = []
    for before, after in itertools.pairwise((0, *steps)):
        counts.append(int(standing.sum()))
        x, y, z = x[standing], y[standing], z[standing]
        strongest = Strongest(x)
        if len(x):
            step_size = threat.options["step_size"]
            z = ascend(model, x, y, z, threat.ball, steps=after - before, step_size=step_size, strongest=strongest)
        standing = ~strongest.success
    return [*counts, int(standing.sum())]


def _entries(survivors: list[int], threat: Planned, steps: Sequence[int], images: Images, searched) -> list[dict]:
    clean, n = survivors[0], len(images)
    return [
        {
            "adv": threat.ball.name,
            "eps": threat.ball.eps,
            "attack": "pgd",
            "steps": count,
            "step_size": threat.options["step_size"],
            "random_start": threat.options["random_start"],
            "restarts": 1,
            **accuracy(left, n),
            "risk": risk(clean, left, n),
            "step_size_searched": searched is not None,
        }
        for count, left in zip(steps, survivors[1:], strict=True)
    ]


def _pgd(ball: Ball, steps: int, step_size: float | None, random_start: bool | None) -> Planned:
    return registry.get("pgd").plan(ball, {"steps": steps, "step_size": step_size, "random_start": random_start})


def _with(attack: Planned, **options: Any) -> Planned:
    return replace(attack, options={**attack.options, **options})
