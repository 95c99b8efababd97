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
from advtool.data.arrays import SampleChecker, complete
from advtool.data.sources import Reader, Source
from advtool.datasets.adversarial import AdversarialTally, adversarial_samples
from advtool.io.head import Head
from advtool.io.samples import Sample
from advtool.models.checkpoint import restore
from advtool.registry import Planned

BATCH_SIZE = 512


def run(options: Attack) -> None:
    """Attack a stream."""
    device, reason = devices.choose(options.device)
    attack = _planned(options)
    file, data = open_checkpoint(options.ckpt, options.data, options)
    source = replace(options, data=data).open()
    suffix = f"{attack.name}-{options.adv}"
    target = shard_destination(options, source, suffix, resumable=True, resume=options.resume)
    model = restore(file).to(device)
    options = _resolved(options, attack, source, device)
    settings = devices.Settings(device, options.batch_size, options.seed, options.amp)
    record = {
        "command": "attack",
        **attack.to_json(),
        "seed": options.seed,
        "amp": options.amp,
        "checkpoint": {"sha256": file.sha256, "arch": model.spec.arch},
        "format": options.format,
    }
    if options.dry_run:
        made = {"source": source.name, "output": target.name, "options": options.values()}
        output.print_json({"schema": 1, **record, **made})
        return
    reader = source.open()
    samples, head = _peek(reader)
    check_fit(model, complete(head, head.shape, 0), source.name, file)
    head = head.after(options.history(), record, classes=model.spec.classes, num_classes=len(model.spec.classes))
    console.detail(f"device: {reason}")
    tally = AdversarialTally()
    todo = target.todo(head, itertools.islice(samples, options.limit))
    with distributed.joined(device.type == "cuda"), console.bar(f"attacking ({attack.name})", options.limit) as advance:
        check = SampleChecker(head)
        attacked = adversarial_samples(todo, check, model, attack, settings, tally, options.format, advance)
        target.write(head, attacked)
    console.say(f"wrote {tally.describe()} to {target.name}")


def _planned(options: Attack) -> Planned:
    """The attack with its ball and settings; what it cannot do is refused."""
    if options.eps is not None:
        registry.check_radius(options.adv, options.eps)
    ball = registry.ball(options.adv, math.inf if options.eps is None else options.eps)
    asked = {name: getattr(options, name) for name in registry.OPTIONS}
    return registry.get(options.attack).plan(ball, asked)


def _resolved(options: Attack, attack: Planned, source: Source, device: devices.torch.device) -> Attack:
    """The options with every default decided."""
    return replace(
        options,
        **attack.options,
        data=source.name,
        split=source.split,
        device=str(device),
        batch_size=options.batch_size or BATCH_SIZE,
        amp=devices.use_amp(options.amp, device, training=False),
    )


def _peek(reader: Reader) -> tuple[Iterable[Sample], Head]:
    """(all samples, head with the shape of the first one filled in)."""
    samples = iter(reader)
    first = next(samples)
    return itertools.chain([first], samples), replace(reader.head, shape=reader.head.shape or first.shape())
