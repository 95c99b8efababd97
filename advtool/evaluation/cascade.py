"""An ensemble of attacks: in a ball each on what the ones before it left standing, without one all on all images."""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

import torch
from torch import Tensor, nn

from advtool import seeds
from advtool.attacks.guard import predictions_of
from advtool.device import Settings
from advtool.evaluation.batch import Indexed, Progress, unseen
from advtool.evaluation.counts import AttackCount
from advtool.prepared import Network, Passes
from advtool.registry import Planned

CHUNK = 1000
"""About how many images are settled before the next ones are begun."""

STANDS, CLEAN = -1, 0
"""Fates of an image, besides the number (from 1) of the attack that broke it: none did, or it was wrong already."""


@dataclass(frozen=True)
class Fates:
    """What became of images under an ensemble.

    Attributes
    ----------
    broken_by : int64, N: `STANDS`, `CLEAN`, or the number of the first attack that changed a right prediction;
        without a radius of the one whose perturbation is the smallest
    distance : float64, N: norm of the perturbation that broke it; 0 for `CLEAN`, NaN for `STANDS`
    seconds, passes : that each attack took
    survived : int64, N: how many of the attacks an earlier run is known to have tried in vain
    """

    broken_by: Tensor
    distance: Tensor
    seconds: tuple[float, ...]
    survived: Tensor
    passes: tuple[Passes, ...] = ()

    @property
    def standing(self) -> int:
        """How many images stand."""
        return int((self.broken_by == STANDS).sum())

    def within(self, eps: float) -> "Fates":
        """What became of them at this radius, of what became of them without one."""
        beyond = (self.broken_by != CLEAN) & ~(self.distance <= eps * (1 + 1e-6))
        distance = self.distance.masked_fill(beyond, math.nan)
        return replace(self, broken_by=self.broken_by.masked_fill(beyond, STANDS), distance=distance)

    def breakdown(self) -> tuple[AttackCount, ...]:
        """What each attack did."""
        numbers = range(1, len(self.seconds) + 1)
        return tuple(
            AttackCount(
                attacked=int(((self.broken_by == STANDS) | (self.broken_by >= number)).sum()),
                broken=int((self.broken_by == number).sum()),
                seconds=seconds,
                passes=passes,
            )
            for number, seconds, passes in zip(numbers, self.seconds, self.passes, strict=True)
        )


class Record(Protocol):
    """Where what became of each sample is kept, so that an interrupted run goes on from there."""

    def recall(self, places: Tensor, attacks: Sequence[Planned], into: Fates) -> Tensor:
        """Fill in what is known of the images at these places: the places of the others."""

    def note(self, places: Tensor, number: int, attacks: Sequence[Planned], fates: Fates) -> None:
        """The images at these places went through the attack of this number; on disk before this returns."""

    def keep(self, places: Tensor, attacks: Sequence[Planned], fates: Fates) -> None:
        """The images at these places are settled; on disk before this returns."""


def cascade(
    model: nn.Module,
    images: Indexed,
    attacks: Sequence[Planned],
    predictions: Tensor,
    settings: Settings,
    record: Record | None = None,
    progress: Progress = unseen,
    worst: Tensor | None = None,
) -> Fates:
    """What becomes of each image under several attacks in the same ball.

    Where it has no radius, each attack is run on all images that are classified correctly. Success is decided in
    float32 on what each attack returns.

    Parameters
    ----------
    model : in eval mode; a `Network` is not prepared again
    predictions : int64, N, of the clean images
    worst : the images, float32, N×C×H×W, on the CPU; those that are attacked become what broke them, or the last try
    """
    right, n = predictions == images.labels, len(images)
    network: Network | None = None
    seconds, passes = [0.0] * len(attacks), [Passes()] * len(attacks)
    fates = Fates(
        broken_by=torch.where(right, STANDS, CLEAN),
        distance=torch.where(right, math.nan, torch.zeros(n, dtype=torch.float64)),
        seconds=(),
        survived=torch.zeros(n, dtype=torch.int64),
    )
    live = getattr(progress, "attack", None) if len(attacks) > 1 else None
    whole_batches = math.ceil(CHUNK / settings.batch_size) * settings.batch_size
    for chunk in torch.arange(n).split(whole_batches):
        fresh = record.recall(chunk, attacks, fates) if record else chunk
        network = images.prepared(model) if network is None and len(fresh) else network
        for number, attack in enumerate(attacks, 1):
            started = time.perf_counter()
            todo = _todo(attack, number, fresh, fates)
            told = partial(live, _threat(attack), number, attack.name) if live else lambda passed, standing: None
            told(len(chunk) - len(todo), int((fates.broken_by[chunk] == STANDS).sum()) - len(todo))
            before = network.passes if network else Passes()
            run = _attack if attack.ball.is_bounded else _shorten
            for part in run(network, images, todo, number, attack, fates, settings, worst) if network else ():
                if record:
                    record.note(part, number, attacks, fates)
                told(len(part), int((fates.broken_by[part] == STANDS).sum()))
            seconds[number - 1] += time.perf_counter() - started
            passes[number - 1] += (network.passes if network else before) - before
        if record:
            record.keep(fresh, attacks, fates)
        progress(len(chunk))
    return replace(fates, seconds=tuple(seconds), passes=tuple(passes))


def _todo(attack: Planned, number: int, places: Tensor, fates: Fates) -> Tensor:
    """Those of the images that an attack is run on: in a ball those that stand, without one all that are right."""
    if not attack.ball.is_bounded:
        return places[fates.broken_by[places] != CLEAN]
    return places[(fates.broken_by[places] == STANDS) & (fates.survived[places] < number)]


def _threat(attack: Planned) -> str:
    return attack.ball.name + (f" {attack.ball.eps:.4g}" if attack.ball.is_bounded else "")


def _attack(
    network: Network,
    images: Indexed,
    places: Tensor,
    number: int,
    attack: Planned,
    fates: Fates,
    settings: Settings,
    worst: Tensor | None,
) -> Iterator[Tensor]:
    """Run one attack on these images, and note whom it breaks: the places of each batch, once it is done."""
    seed = seeds.derive(settings.seed, "evaluation")
    for part, (x, y, ids) in images.batches(places):
        adversarial = attack(network, x, y, ids=ids, seed=seed, early_stop=True)
        broken = (predictions_of(network, adversarial) != y).cpu()
        distance = attack.ball.norm(adversarial - x).cpu()
        fates.broken_by[part[broken]] = number
        fates.distance[part[broken]] = distance[broken].double()
        if worst is not None:
            worst[part] = adversarial.cpu()
        yield part


def _shorten(
    network: Network,
    images: Indexed,
    places: Tensor,
    number: int,
    attack: Planned,
    fates: Fates,
    settings: Settings,
    worst: Tensor | None,
) -> Iterator[Tensor]:
    """Run one attack on these images, and note where its perturbation is smaller: the places of each batch."""
    seed = seeds.derive(settings.seed, "evaluation")
    for part, (x, y, ids) in images.batches(places):
        adversarial = attack(network, x, y, ids=ids, seed=seed)
        distance = attack.ball.norm(adversarial - x).cpu().double()
        known = fates.distance[part]
        closer = (predictions_of(network, adversarial) != y).cpu() & ~(distance >= known)
        fates.broken_by[part[closer]] = number
        fates.distance[part[closer]] = distance[closer]
        if worst is not None:
            worst[part[closer]] = adversarial.cpu()[closer]
        yield part
