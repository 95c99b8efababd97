"""Models whose answers change from call to call: accuracies are expected values over the calls.

An image counts with the share of fresh calls that get it right. Of what the attacks made of it, and of the image
itself, the one that most calls get wrong is judged, by calls that took no part in the choice (Athalye et al. 2018,
https://arxiv.org/abs/1802.00420, section 5.3).
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from advtool import seeds
from advtool.attacks.guard import predictions_of
from advtool.data.arrays import Images
from advtool.data.batches import Batch
from advtool.device import Settings
from advtool.evaluation.batch import Indexed, Progress, predictions, unseen
from advtool.evaluation.counts import AttackCount, Counts, EntryCount
from advtool.evaluation.plan import Evaluation, Stage
from advtool.evaluation.transfer import targeted_shares
from advtool.prepared import LIKE, Network, Passes, differs, untouched


def is_random(model: nn.Module, images: Images, settings: Settings) -> bool:
    """Whether two calls of the model on a few of the images differ."""
    with untouched(model), torch.inference_mode(), drawing(settings):
        _, (x, _, _) = next(Indexed(images, settings).batches(torch.arange(min(LIKE, len(images)))))
        return differs(model, x)


def measure_expected(
    plan: Evaluation, model: nn.Module, images: Images, settings: Settings, progress: Progress = unseen
) -> Counts:
    """How many images a random model gets right in the mean over its calls, as they are and under attack.

    Parameters
    ----------
    model : left as it was found
    progress : called `Evaluation.passes` times for each image
    """
    indexed = Indexed(images, settings)
    with torch.inference_mode(False), torch.enable_grad(), untouched(model), drawing(settings):
        network = indexed.prepared(model)
        clean = torch.zeros(len(images), dtype=torch.float64)
        for places, (x, y, _) in indexed.batches(torch.arange(len(images))):
            clean[places] = _judged(plan, network, x, y)
            progress(len(places))
        entries = tuple(_entry(plan, stage, network, indexed, clean, settings, progress) for stage in plan.stages)
        targeted = targeted_shares(images, predictions(model, indexed))
    right = float(clean.sum())
    return Counts(len(images), right, entries, targeted, squares=float(clean.square().sum()), calls=plan.calls)


def _entry(
    plan: Evaluation,
    stage: Stage,
    network: Network,
    images: Indexed,
    clean: Tensor,
    settings: Settings,
    progress: Progress,
) -> EntryCount:
    """The counts of a stage."""
    standing = torch.zeros_like(clean)
    worst = torch.zeros(len(images), dtype=torch.int64)
    seconds, passes = [0.0] * len(stage.attacks), [Passes()] * len(stage.attacks)
    for places, batch in images.batches(torch.arange(len(images))):
        standing[places], worst[places] = _under(plan, stage, network, batch, settings, seconds, passes)
        progress(len(places))
    n, right = len(images), float(clean.sum())
    return EntryCount(
        stage.attacks,
        False,
        float(standing.sum()),
        n - right,
        max(0.0, right - float(standing.sum())),
        tuple(
            AttackCount(n, int((worst == k).sum()), seconds[k - 1], passes[k - 1]) for k in range(1, len(seconds) + 1)
        ),
        squares=float(standing.square().sum()),
        calls=plan.calls,
    )


def _under(
    plan: Evaluation,
    stage: Stage,
    network: Network,
    batch: Batch,
    settings: Settings,
    seconds: list[float],
    passes: list[Passes],
) -> tuple[Tensor, Tensor]:
    """(share of fresh calls that get each image right at its worst, which attack that is from, 0 for none)."""
    x, y, ids = batch
    worst, left = x, _right(network, x, y, plan.calls)
    left = left + 2 * (left * (1 - left) / plan.calls).sqrt()  # the image itself only where that is no chance
    chosen = torch.zeros(len(x), dtype=torch.int64)
    for number, attack in enumerate(stage.attacks, 1):
        started, before = time.perf_counter(), network.passes
        found = attack(network, x, y, ids=ids, seed=seeds.derive(settings.seed, "evaluation"))
        share = _right(network, found, y, plan.calls)
        better = share < left
        worst = torch.where(better.to(x.device)[:, None, None, None], found, worst)
        left, chosen = torch.where(better, share, left), torch.where(better, number, chosen)
        seconds[number - 1] += time.perf_counter() - started
        passes[number - 1] += network.passes - before
    return _judged(plan, network, worst, y), chosen


def _judged(plan: Evaluation, network: Network, x: Tensor, y: Tensor) -> Tensor:
    """As what each image counts: the share of the calls that are right, of a vote 1 or 0: float64, N, on the CPU."""
    if not plan.votes:
        return _right(network, x, y, plan.calls)
    answers = torch.stack([predictions_of(network, x) for _ in range(plan.calls)])
    right = (answers == y).sum(0)
    votes = right.new_zeros(len(x), int(torch.cat([answers.flatten(), y]).max()) + 1)
    votes.scatter_add_(1, answers.T, torch.ones_like(answers.T)).scatter_(1, y[:, None], 0)
    return (right > votes.amax(1)).double().cpu()


def _right(network: Network, x: Tensor, y: Tensor, calls: int) -> Tensor:
    """Share of so many calls in which each image is classified as y: float64, N, on the CPU."""
    right = torch.zeros(len(x), dtype=torch.float64)
    for _ in range(calls):
        right += (predictions_of(network, x) == y).cpu()
    return right / calls


@contextmanager
def drawing(settings: Settings) -> Iterator[None]:
    """What the model draws comes from the seed, and the generators are left as they were found."""
    devices = [settings.device] if settings.device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seeds.derive(settings.seed, "calls") % 2**31)
        yield
