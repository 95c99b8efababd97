"""What ``advtool certify`` does once its options are read: read, certify, report."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from advtool import device as devices
from advtool import distributed
from advtool.certification.deterministic import Bounding
from advtool.certification.plan import Certification
from advtool.certification.plots import plot_certified
from advtool.certification.report import together
from advtool.certification.running import Certifying
from advtool.certification.votes import draws_at_a_time
from advtool.cli import bars, console, output, standard
from advtool.cli.certify import Certify
from advtool.commands.certified import compare, show
from advtool.commands.checkpoints import applied, check_classes, check_size, open_checkpoint, preprocessing_of
from advtool.data.parts import BYTES, Parts
from advtool.data.sources import Source
from advtool.errors import UsageError
from advtool.evaluation.running import Subject
from advtool.io.atomic import is_special
from advtool.io.checkpoints import CheckpointFile
from advtool.models.checkpoint import restore
from advtool.models.classifier import Classifier
from advtool.preprocessing import Preprocessing


@dataclass(frozen=True)
class Inputs:
    """What is certified, under which noise, on which images; a model may be there several times."""

    files: Sequence[CheckpointFile]
    models: Sequence[Classifier]
    sigmas: Sequence[float]
    source: Source
    preprocessings: Sequence[Preprocessing | None]


def run(options: Certify) -> None:
    """Certify each checkpoint and report."""
    standard.check_stdout()
    if distributed.processes().world > 1:
        raise UsageError("certify is for one process")
    names = ("n0", "samples", "alpha", "radius", "predict", "family", "bracket")
    if options.adv == "linf" and not options.eps:
        raise UsageError("is needed: radii on the [0,1] pixel scale, such as 0.01 or 2/255", "eps")
    plan = Certification.of(**{name: getattr(options, name) for name in names})
    if options.plot:
        output.check_figure(options.plot)
    if options.per_sample and not is_special(options.per_sample):
        output.check_name(options.per_sample, "per_sample")
        output.check_directory(Path(options.per_sample).parent, "per_sample")
    device, reason = devices.choose(options.device)
    inputs = _inputs(options, device)
    if options.per_sample and len(inputs.files) > 1:
        raise UsageError("takes one model under noise of one size", "per_sample")
    for sigma in inputs.sigmas if options.adv == "l2" else ():
        plan.sampling(sigma)  # refuses radii that are out of reach
    largest = max((model.spec.shape for model in inputs.models), key=math.prod)
    size = options.batch_size or draws_at_a_time(largest)
    settings = devices.Settings(device, size, options.seed)
    if options.dry_run:
        output.print_json(_resolved(options, plan, inputs, settings))
        return
    console.detail(f"device: {reason}")
    reports = _reports(options, plan, inputs, settings)
    if options.plot:
        plot_certified(Path(options.plot), reports)
    if output.wants_json(options.json):
        output.print_json(reports[0] if len(reports) == 1 else together(reports))
    elif len(reports) == 1:
        show(reports[0])
    else:
        compare(reports)


def _inputs(options: Certify, device: torch.device) -> Inputs:
    """Every checkpoint under every noise."""
    files, models, sigmas, data = [], [], [], options.data
    for name in options.ckpt or (None,):
        file, data = open_checkpoint(name, data, options)
        model = restore(file).to(device)
        for sigma in options.sigma or (_trained_with(file) if options.adv == "l2" else 0.0,):
            if sigma == 0 and options.adv == "l2":
                raise UsageError("must be above 0", "sigma", sigma)
            files.append(file)
            models.append(model)
            sigmas.append(sigma)
    source = replace(options, data=data).open()
    said = [options.preprocessing(preprocessing_of(file, model)) for file, model in zip(files, models, strict=True)]
    if len({*said}) > 1 and not source.repeatable:
        raise UsageError("the checkpoints want other sizes, and stdin can be read once: --data SOURCE, or --size")
    return Inputs(files, models, sigmas, source, said)


def _trained_with(file: CheckpointFile) -> float:
    """The noise that a checkpoint was trained with."""
    training = file.meta.get("training")
    noise = training.get("noise") if isinstance(training, dict) else None
    if not isinstance(noise, int | float) or not 0 < noise < math.inf:
        raise UsageError(f"has to be given: {file.path} was not trained with noise", "sigma")
    return float(noise)


def _reports(options: Certify, plan: Certification, inputs: Inputs, settings: devices.Settings) -> list[dict[str, Any]]:
    """A report for each; those that see the images in one size are certified in one pass over the source."""
    found: dict[int, dict[str, Any]] = {}
    for preprocessing in dict.fromkeys(inputs.preprocessings):
        mine = [n for n, each in enumerate(inputs.preprocessings) if each == preprocessing]
        with Parts(inputs.source, options.limit, preprocessing, 1, None if plan.family else BYTES) as parts:
            for number in mine:
                check_size(inputs.models[number], parts.shape, inputs.source.name, inputs.files[number], "--size")
                check_classes(inputs.models[number], parts.head, inputs.source.name, inputs.files[number])
            running: dict[int, Certifying | Bounding] = {}
            for images in parts:
                running = running or {n: _certifying(options, plan, inputs, n, len(images), settings) for n in mine}
                with bars.bar("certifying", len(images) * len(mine)) as advance:
                    for each in running.values():
                        each.add(images, advance)
            found |= {number: each.report() for number, each in running.items()}
    return [found[number] for number in range(len(inputs.files))]


def _certifying(
    options: Certify, plan: Certification, inputs: Inputs, number: int, n: int, settings: devices.Settings
) -> Certifying | Bounding:
    file = inputs.files[number]
    subject = Subject(inputs.models[number], file.path, file.sha256)
    if options.adv == "linf":
        return Bounding(subject, options.eps, settings)
    return Certifying(plan, subject, inputs.sigmas[number], settings, n=n, per_sample=options.per_sample)


def _resolved(options: Certify, plan: Certification, inputs: Inputs, settings: devices.Settings) -> dict[str, Any]:
    """What a dry run shows."""
    (first, *others) = {*inputs.preprocessings}
    options = options.decided(None if others else applied(inputs.source, first))
    decided: dict[str, Any] = {
        "data": options.data or inputs.source.name,
        "split": inputs.source.split,
        "samples": plan.samples,
        "sigma": tuple(dict.fromkeys(inputs.sigmas)),
        "batch_size": settings.batch_size,
        "device": str(settings.device),
    }
    shown: dict[str, Any] = {"source": inputs.source.name, "split": inputs.source.split}
    reported = options.adv == "l2" and not plan.predict
    shown |= {"radii": list(map(plan.reported, inputs.sigmas)) if reported else None}
    return {"schema": 1, "command": "certify", **shown, **replace(options, **decided).resolved()}
