"""What ``advtool attack`` does once its options are read."""

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch

from advtool import device as devices
from advtool import distributed, norms, registry
from advtool.cli import bars, console, output
from advtool.cli.attack import Attack
from advtool.cli.transfer import Transfer
from advtool.commands.checkpoints import applied, check_size, fit, open_checkpoint, preprocessing_of
from advtool.commands.ensembles import check_averaged, together
from advtool.commands.shard_output import shard_destination
from advtool.data.arrays import SampleChecker
from advtool.data.beginning import begin
from advtool.data.sources import Source
from advtool.data.watching import expecting
from advtool.datasets.adversarial import AdversarialTally, adversarial_samples
from advtool.errors import UsageError
from advtool.evaluation.plan import EOT
from advtool.io.checkpoints import CheckpointFile
from advtool.memory import images_at_a_time
from advtool.models.checkpoint import noisy, restore
from advtool.models.classifier import Classifier
from advtool.registry import Planned


def run(options: Attack) -> None:
    """Attack a stream."""
    device, reason = devices.choose(options.device)
    attack = planned(options)
    if options.attack_correct_only and attack.targeted:
        raise UsageError("is for untargeted attacks", "attack_correct_only")
    with distributed.joined():
        _run(options, attack, device, reason)


def _run(options: Attack, attack: Planned, device: torch.device, reason: str) -> None:
    files, data = [], options.data
    for name in options.ckpt or (None,):
        file, data = open_checkpoint(name, data, options)
        files.append(file)
    check_averaged(options.ensemble, len(files), [attack.attack])
    source = replace(options, data=data).open()
    suffix = f"{attack.name}-{options.adv}"
    target = shard_destination(options, source, suffix, resumable=True, resume=options.resume, worker=options.worker())
    models = [noisy(restore(file), options.deviation).to(device) for file in files]
    amp = devices.use_amp(options.amp, device)
    settings = devices.Settings(device, options.batch_size or images_at_a_time(models[0].spec.shape), options.seed, amp)
    preprocessing, *others = dict.fromkeys(
        options.preprocessing(preprocessing_of(file, model)) for file, model in zip(files, models, strict=True)
    )
    if others:
        raise UsageError("the checkpoints want images of other sizes: --size says one for all", "ckpt")
    options = _resolved(options, attack, source, settings)
    record = {
        "command": "attack",
        **{name: value for name, value in attack.to_json().items() if name != "eot" or value not in (None, 1)},
        **({"attack_correct_only": True} if options.attack_correct_only else {}),
        **({"noise": options.noise} if options.noise else {}),
        **({"smooth": options.smooth} if options.smooth else {}),
        "seed": options.seed,
        "amp": settings.amp,
        **_recorded(files, models, options.ensemble),
        "format": options.format,
    }
    if options.dry_run:
        decided = options.decided(applied(source, preprocessing))
        made = {"source": source.name, "output": target.name, **decided.resolved()}
        output.print_json({"schema": 1, **record, **made})
        return
    reader = source.open()
    begun = begin(reader, preprocessing)
    for file, model in zip(files, models, strict=True):
        check_size(model, begun.shape, source.name, file, "--size")
    models = [fit(model, reader.head, source.name, file) for file, model in zip(files, models, strict=True)]
    attacked, known = together(models, files, options.ensemble), models[0].spec.classes
    if options.eps is not None:
        norms.check_radius(options.adv, options.eps, begun.shape)
    if begun.preprocessing:
        record["preprocessing"] = begun.preprocessing.to_json()
    after = begun.head.after(options.history(), record, classes=known, num_classes=len(known))
    console.detail(f"device: {reason}")
    tally = AdversarialTally()
    with bars.bar(f"attacking ({attack.name})", options.limit) as advance:
        samples = expecting(begun.samples, reader, options.limit, partial(advance, 0))
        todo = target.todo(after, samples)
        check = SampleChecker(after, preprocessing=begun.preprocessing)
        how = (settings, tally, options.format, options.attack_correct_only, advance)
        target.write(after, adversarial_samples(todo, check, attacked, attack, *how))
    tally = distributed.summed(tally)
    console.say(f"wrote {tally.describe()} to {target.name}")
    if options.json:
        console.account({**record, "data": source.name, "output": target.name, **tally.to_json()})


def _recorded(files: Sequence[CheckpointFile], models: Sequence[Classifier], ensemble: str | None) -> dict[str, Any]:
    """What a head says of the models."""
    described = [{"sha256": file.sha256, "arch": model.spec.arch} for file, model in zip(files, models, strict=True)]
    if len(described) == 1:
        return {"checkpoint": described[0]}
    return {"checkpoints": described, "ensemble": ensemble or "logits"}


def planned(options: Attack | Transfer) -> Planned:
    """The attack with its ball and settings; what it cannot do is refused."""
    if options.eps is not None:
        norms.check_radius(options.adv, options.eps)
    ball = norms.ball(options.adv, math.inf if options.eps is None else options.eps)
    asked = {name: getattr(options, name, None) for name in registry.OPTIONS}
    found = registry.get(options.attack)
    if getattr(options, "smooth", 0) and asked["eot"] is None and "eot" in found.takes:
        asked["eot"] = EOT
    return found.plan(ball, asked)


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
        ensemble="logits" if len(options.ckpt) > 1 and options.ensemble is None else options.ensemble,
    )
