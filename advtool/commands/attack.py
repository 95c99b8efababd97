"""What ``advtool attack`` does once its options are read."""

import itertools
import math
from collections.abc import Iterable
from dataclasses import replace

from advtool import device as devices
from advtool import distributed, registry
from advtool.cli import console, output
from advtool.cli.attack import Attack
from advtool.commands.checkpoints import check_fit, open_checkpoint
from advtool.commands.shard_output import shard_destination
from advtool.data.arrays import SampleChecker
from advtool.data.sources import Reader, Source
from advtool.datasets.adversarial import AdversarialTally, adversarial_samples
from advtool.groups import BATCH_SIZE
from advtool.io.head import CompleteHead, complete
from advtool.io.samples import Sample
from advtool.models.checkpoint import restore
from advtool.registry import Planned


def run(options: Attack) -> None:
    """Attack a stream."""
    device, reason = devices.choose(options.device)
    attack = _planned(options)
    file, data = open_checkpoint(options.ckpt, options.data, options)
    source = replace(options, data=data).open()
    suffix = f"{attack.name}-{options.adv}"
    target = shard_destination(options, source, suffix, resumable=True, resume=options.resume)
    model = restore(file).to(device)
    amp = devices.use_amp(options.amp, device, training=False)
    settings = devices.Settings(device, options.batch_size or BATCH_SIZE, options.seed, amp)
    options = _resolved(options, attack, source, settings)
    record = {
        "command": "attack",
        **attack.to_json(),
        "seed": options.seed,
        "amp": settings.amp,
        "checkpoint": {"sha256": file.sha256, "arch": model.spec.arch},
        "format": options.format,
    }
    if options.dry_run:
        made = {"source": source.name, "output": target.name, "options": options.values()}
        output.print_json({"schema": 1, **record, **made})
        return
    reader = source.open()
    samples, head = _peek(reader)
    check_fit(model, head, source.name, file)
    if options.eps is not None:
        registry.check_radius(options.adv, options.eps, head.shape)
    after = head.after(options.history(), record, classes=model.spec.classes, num_classes=len(model.spec.classes))
    console.detail(f"device: {reason}")
    tally = AdversarialTally()
    todo = target.todo(after, itertools.islice(samples, options.limit))
    with distributed.joined(device.type == "cuda"), console.bar(f"attacking ({attack.name})", options.limit) as advance:
        check = SampleChecker(after)
        attacked = adversarial_samples(todo, check, model, attack, settings, tally, options.format, advance)
        target.write(after, attacked)
    console.say(f"wrote {tally.describe()} to {target.name}")


def _planned(options: Attack) -> Planned:
    """The attack with its ball and settings; what it cannot do is refused."""
    if options.eps is not None:
        registry.check_radius(options.adv, options.eps)
    ball = registry.ball(options.adv, math.inf if options.eps is None else options.eps)
    asked = {name: getattr(options, name) for name in registry.OPTIONS}
    return registry.get(options.attack).plan(ball, asked)


def _resolved(options: Attack, attack: Planned, source: Source, settings: devices.Settings) -> Attack:
    """The options with every default decided."""
    return replace(
        options,
        **attack.options,
        data=source.name,
        split=source.split,
        device=str(settings.device),
        batch_size=settings.batch_size,
        amp=settings.amp,
    )


def _peek(reader: Reader) -> tuple[Iterable[Sample], CompleteHead]:
    """(all samples, head with the shape of the first one filled in, and with one class where it knows none)."""
    samples = iter(reader)
    first = next(samples)
    return itertools.chain([first], samples), complete(reader.head, reader.head.shape or first.shape(), 0)
