"""One road through an evaluation: clean images, then each stage of the plan, counted."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from advtool import distributed
from advtool.data.arrays import Images
from advtool.data.batches import to_float
from advtool.device import Settings
from advtool.evaluation.batch import Indexed, Progress, predictions, unseen
from advtool.evaluation.cascade import STANDS, Fates, Record, cascade
from advtool.evaluation.counts import Counts, EntryCount, total
from advtool.evaluation.curves import read_along, strongest_of
from advtool.evaluation.entries import described
from advtool.evaluation.per_sample import PerSampleFile
from advtool.evaluation.plan import Evaluation, Stage
from advtool.evaluation.relative import excess
from advtool.evaluation.sample_record import SampleRecord
from advtool.evaluation.saving import Saver
from advtool.evaluation.transfer import targeted_shares
from advtool.launchers import processes
from advtool.prepared import untouched
from advtool.registry import Planned


def measure(
    plan: Evaluation,
    model: nn.Module,
    images: Images,
    settings: Settings,
    *,
    base: nn.Module | None = None,
    record: PerSampleFile | None = None,
    unfinished: PerSampleFile | None = None,
    progress: Progress = unseen,
    saver: Saver | None = None,
) -> Counts:
    """How many images a model gets right, as they are and under the attacks of a plan.

    Parameters
    ----------
    model, base : left exactly as they were found
    base : classifier that the risks are relative to, instead of the labels
    record : where what became of each sample is kept
    unfinished : where that is kept while attacks are still to come
    progress : called `Evaluation.passes` times for each image
    saver : takes the worst image of each sample, of a plan with one stage

    Raises
    ------
    AdvtoolError
        if a model returns logits that are not finite
    """
    indexed = Indexed(images, settings)
    entries: list[EntryCount] = []
    with torch.inference_mode(False), torch.enable_grad(), untouched(model), untouched(base or nn.Identity()):
        clean = predictions(model, indexed, progress)
        kept = SampleRecord(record, images, clean, plan.union, unfinished) if record is not None else None
        standing, distances = clean == indexed.labels, None
        worst = to_float(torch.from_numpy(images.pixels)).clone() if saver else None
        for stage in plan.stages:
            counted, fates = _counted(stage, model, images, indexed, clean, settings, base, kept, progress, worst)
            entries += counted
            if fates and plan.union:
                standing &= fates.broken_by == STANDS
            if fates and not stage.ball.is_bounded:
                distances = tuple(fates.distance.nan_to_num(math.inf).tolist())
            if saver and fates and worst is not None:
                saver.keep(images, stage, fates, worst, _record(plan, stage))
    right, union = int((clean == indexed.labels).sum()), int(standing.sum()) if plan.union else None
    targeted = targeted_shares(images, clean)
    return Counts(len(images), right, tuple(entries), targeted, union=union, distances=distances)


def accuracies(
    model: nn.Module,
    images: Images,
    attacks: Sequence[Planned],
    settings: Settings,
    progress: Progress = unseen,
) -> dict[str, Any]:
    """``{"clean": …, "adversarial": [one for each attack]}`` as in the report, without what differs from run to run;
    of several attacks with a ``union``.

    Several processes, of which each has all of the images, measure a part each.
    """
    plan = Evaluation(tuple(Stage((attack,)) for attack in attacks), union=len(attacks) > 1)
    report = described(gathered(measure(plan, model, part_of(images), settings, progress=progress), images))
    for entry in report["adversarial"]:
        del entry["breakdown"]
    return {name: report[name] for name in ("clean", "adversarial", "union") if name in report}


def part_of(images: Images) -> Images:
    """This process's part of the images; all of them where there are too few for each to have one."""
    here = processes()
    alone = here.world == 1 or len(images) < here.world
    return images if alone else images.take(np.arange(here.rank, len(images), here.world))


def gathered(counts: Counts, images: Images) -> Counts:
    """The counts of all the images, from those of this process's part."""
    world = processes().world
    return counts if world == 1 or len(images) < world else total(distributed.gathered(counts))


def correct_clean(model: nn.Module, images: Images, settings: Settings, progress: Progress = unseen) -> Tensor:
    """Whether each image is classified correctly: bool, N, on the CPU."""
    indexed = Indexed(images, settings)
    with untouched(model):
        return predictions(model, indexed, progress) == indexed.labels


def _counted(
    stage: Stage,
    model: nn.Module,
    images: Images,
    indexed: Indexed,
    clean: Tensor,
    settings: Settings,
    base: nn.Module | None,
    record: Record | None,
    progress: Progress,
    worst: Tensor | None,
) -> tuple[list[EntryCount], Fates | None]:
    """(the counts of each entry that a stage gives, what became of the images where that is one thing)."""
    wrong = int((clean != indexed.labels).sum())
    if stage.read_at:
        (attack,) = stage.attacks
        read = read_along(model, indexed, stage, clean, settings, progress)
        return [
            EntryCount((attack.with_options(steps=steps),), False, standing, wrong, count.broken, (count,))
            for steps, (standing, count) in zip(stage.read_at, read, strict=True)
        ], None
    searched = bool(stage.candidates)
    attacks = (strongest_of(model, images, stage, settings),) if searched else stage.attacks
    fates = cascade(model, indexed, attacks, clean, settings, record, progress, worst)
    if not stage.ball.is_bounded:
        return [_at(radius, attacks, fates, wrong) for radius in stage.radii], fates
    fallen = len(indexed) - wrong - fates.standing
    if base is not None:
        fallen = excess(model, base, indexed, attacks, clean, settings)
    return [EntryCount(attacks, searched, fates.standing, wrong, fallen, fates.breakdown())], fates


def _at(radius: float, attacks: Sequence[Planned], fates: Fates, wrong: int) -> EntryCount:
    """The counts at one radius, of attacks that have none."""
    held = tuple(replace(attack, ball=attack.ball.with_eps(radius)) for attack in attacks)
    within = fates.within(radius)
    tried = len(within.broken_by) - wrong
    rows = tuple(replace(row, attacked=tried) for row in within.breakdown())
    return EntryCount(held, False, within.standing, wrong, tried - within.standing, rows)


def _record(plan: Evaluation, stage: Stage) -> dict[str, Any]:
    """What the head of saved images says of the attacks that made them."""
    names = ",".join(attack.name for attack in stage.attacks)
    eps = stage.ball.eps if stage.ball.is_bounded else None
    return {"attack": plan.named or names, "adv": stage.ball.name, "eps": eps}
