"""What ``advtool distill`` does once its options are read."""

import warnings
from collections.abc import Iterable
from dataclasses import dataclass, replace

import torch

from advtool import device as devices
from advtool import distributed
from advtool.cli import bars, console, output
from advtool.cli.distill import Distill
from advtool.commands.checkpoints import check_classes, check_size, open_checkpoint
from advtool.commands.shard_output import shard_destination
from advtool.data.arrays import SampleChecker
from advtool.data.matching import ClassMismatch
from advtool.data.sources import Reader, Source
from advtool.data.watching import expecting
from advtool.datasets.distilled import DistilledTally, Recipe, default_recipe, distilled_samples
from advtool.datasets.representation import representation
from advtool.datasets.starts import Noise, Starts, gather, pool_of
from advtool.errors import UsageError
from advtool.io.checkpoints import CheckpointFile
from advtool.io.head import Head
from advtool.io.samples import Sample
from advtool.io.shape import Shape
from advtool.memory import images_at_a_time
from advtool.models.checkpoint import restore
from advtool.models.classifier import Classifier

NOISES = ("noise", "uniform")
CAME_BACK = (
    "the images are nearly their sources again: the representation determines the image, so that no choice of"
    " features is left in them; a model with a smaller representation makes one"
)


class ReturnWarning(UserWarning):
    """Distilled images are those that they were distilled from."""


@dataclass(frozen=True)
class Begun:
    """Samples to distil, where each starts, and how many there are, if that is known."""

    samples: Iterable[Sample]
    starts: Starts
    n: int | None


def run(options: Distill) -> None:
    """Distil a stream."""
    device, reason = devices.choose(options.device)
    with distributed.joined():
        _run(options, device, reason)


def _run(options: Distill, device: torch.device, reason: str) -> None:
    file, data = open_checkpoint(options.ckpt, options.data, options)
    source = replace(options, data=data).open()
    target = shard_destination(
        options, source, "distilled", resumable=True, resume=options.resume, worker=options.worker()
    )
    model = restore(file).to(device)
    reader = source.open()
    check_size(model, reader.head.shape or model.spec.shape, source.name, file)
    _check_classes(model, reader.head, source.name, file)
    recipe = _recipe(options, model.spec.shape)
    amp = devices.use_amp(options.amp, device)
    settings = devices.Settings(device, options.batch_size or images_at_a_time(model.spec.shape), options.seed, amp)
    options = _resolved(options, source, recipe, settings)
    with representation(model, options.layer):
        pass  # there is such a layer
    described = {
        "command": "distill",
        "checkpoint": {"sha256": file.sha256, "arch": model.spec.arch},
        "from": options.start,
        **recipe.to_json(),
        "seed": options.seed,
        "amp": settings.amp,
    }
    if options.dry_run:
        made = {"source": source.name, "output": target.name, **replace(options, device=str(device)).resolved()}
        output.print_json({"schema": 1, **described, **made})
        return
    head = replace(reader.head, shape=model.spec.shape)
    begun = _begun(options, source, reader, head, model.spec.shape)
    head = head.after(
        options.history(),
        {**described, "starts": begun.starts.described},
        split=head.split or source.split,
        source=head.source or source.name,
    )
    console.detail(f"device: {reason}")
    console.say(f"{recipe.steps:,} steps of {recipe.step_size:g}; starts: {begun.starts.described}")
    tally = DistilledTally()
    with bars.training_bar(begun.n) as advance:
        samples = expecting(begun.samples, reader, options.limit, lambda total: advance(0, "distilling", "", total))
        todo = target.todo(head, samples)

        def progress(count: float, distance: float) -> None:
            advance(count, "distilling", f"relative distance {distance:.3f}")

        check = SampleChecker(head)
        target.write(head, distilled_samples(todo, check, model, begun.starts, recipe, settings, tally, progress))
    tally = distributed.summed(tally)
    console.say(f"wrote {tally.describe()} to {target.name}")
    if options.json:
        console.account({**described, "data": source.name, "output": target.name, "n": tally.n, **tally.means()})
    if tally.came_back:
        warnings.warn(CAME_BACK, ReturnWarning, stacklevel=2)


def _check_classes(model: Classifier, head: Head, name: str, file: CheckpointFile) -> None:
    """Refuse data of which the model knows some classes and not others; labels pass whatever they are called."""
    try:
        check_classes(model, head, name, file)
    except ClassMismatch as error:
        if not error.disjoint:
            raise


def _recipe(options: Distill, shape: Shape) -> Recipe:
    """How to distil images of that shape."""
    steps, step_size = default_recipe(shape, options.start in NOISES)
    steps = steps if options.steps is None else options.steps
    return Recipe(steps, options.step_size or step_size, options.tol, options.layer)


def _resolved(options: Distill, source: Source, recipe: Recipe, settings: devices.Settings) -> Distill:
    """The options with every default decided."""
    return replace(
        options,
        data=source.name,
        split=source.split,
        steps=recipe.steps,
        step_size=recipe.step_size,
        batch_size=settings.batch_size,
        amp=settings.amp,
    )


def _begun(options: Distill, source: Source, reader: Reader, head: Head, shape: Shape) -> Begun:
    if options.start in NOISES:
        return Begun(iter(reader), Noise(shape, options.seed, uniform=options.start == "uniform"), options.limit)
    budget = devices.memory_budget(devices.choose("cpu")[0], options.max_memory)
    if (other := _starts(options, source)) is not None:
        return Begun(iter(reader), pool_of(other, shape, budget, options.seed), options.limit)
    gathered = gather(source, head, reader, options.limit, budget, options.seed)
    return Begun(gathered.samples, gathered.pool, gathered.n or options.limit)


def _starts(options: Distill, source: Source) -> Source | None:
    """The source of the images to start from, where it is not that of the images themselves."""
    if options.start != "image":
        try:
            return options.resolve(options.start)
        except UsageError as error:
            raise UsageError(
                f"is neither image, noise, uniform nor a source ({error})", "start", options.start
            ) from None
    if source.split in (None, "train") or "train" not in source.splits:
        return None
    return options.resolve(options.data, "train")
