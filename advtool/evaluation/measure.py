"""One road through an evaluation: clean images, then each stage of the plan, counted."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from advtool.data.arrays import Images
from advtool.device import Settings
from advtool.evaluation.batch import Indexed, Progress, predictions, unseen
from advtool.evaluation.cascade import Record, cascade
from advtool.evaluation.counts import Counts, EntryCount
from advtool.evaluation.curves import read_along, strongest_of
from advtool.evaluation.entries import described
from advtool.evaluation.per_sample import PerSampleFile, SampleRecord
from advtool.evaluation.plan import Evaluation, Stage
from advtool.evaluation.relative import excess
from advtool.evaluation.transfer import targeted_shares
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
    progress: Progress = unseen,
) -> Counts:
    """How many images a model gets right, as they are and under the attacks of a plan.

    Parameters
    ----------
    model, base : left exactly as they were found
    base : classifier that the risks are relative to, instead of the labels
    record : where what became of each sample is kept
    progress : called `Evaluation.passes` times for each image

    Raises
    ------
    AdvtoolError
        if a model returns logits that are not finite
    """
    indexed = Indexed(images, settings)
    entries: list[EntryCount] = []
    with torch.inference_mode(False), torch.enable_grad(), untouched(model), untouched(base or nn.Identity()):
        clean = predictions(model, indexed, progress)
        kept = SampleRecord(record, images, clean) if record is not None else None
        for stage in plan.stages:
            entries += _counted(stage, model, images, indexed, clean, settings, base, kept, progress)
    right = int((clean == indexed.labels).sum())
    return Counts(len(images), right, tuple(entries), targeted_shares(images, clean))


def accuracies(
    model: nn.Module,
    images: Images,
    attacks: Sequence[Planned],
    settings: Settings,
    progress: Progress = unseen,
) -> dict[str, Any]:
    """``{"clean": …, "adversarial": [one for each attack]}`` as in the report, without what differs from run to run."""
    plan = Evaluation(tuple(Stage((attack,)) for attack in attacks))
    report = described(measure(plan, model, images, settings, progress=progress))
    for entry in report["adversarial"]:
        del entry["breakdown"]
    return {name: report[name] for name in ("clean", "adversarial")}


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
) -> Iterator[EntryCount]:
    """The counts of each entry that a stage gives."""
    wrong = int((clean != indexed.labels).sum())
    if stage.read_at:
        (attack,) = stage.attacks
        read = read_along(model, indexed, stage, clean, settings, progress)
        for steps, (standing, count) in zip(stage.read_at, read, strict=True):
            yield EntryCount((attack.with_options(steps=steps),), False, standing, wrong, count.broken, (count,))
        return
    searched = bool(stage.candidates)
    attacks = (strongest_of(model, images, stage, settings),) if searched else stage.attacks
    fates = cascade(model, indexed, attacks, clean, settings, record, progress)
    fallen = len(indexed) - wrong - fates.standing
    if base is not None:
        fallen = excess(model, base, indexed, attacks, clean, settings)
    yield EntryCount(attacks, searched, fates.standing, wrong, fallen, fates.breakdown())
