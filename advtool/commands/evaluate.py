"""What ``advtool eval`` does once its options are read: read, evaluate, report."""

import math
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from advtool import device as devices
from advtool import distributed
from advtool.cli import bars, console, output, standard
from advtool.cli.evaluate import Evaluate
from advtool.commands.checkpoints import applied, check_classes, check_size, open_checkpoint, preprocessing_of
from advtool.commands.report import compare, show
from advtool.data.parts import BYTES, Parts
from advtool.data.sources import Source
from advtool.errors import AdvtoolError, UsageError
from advtool.evaluation import plots, robustbench
from advtool.evaluation import run as evaluating
from advtool.evaluation.plan import Evaluation
from advtool.evaluation.run import together
from advtool.evaluation.running import Running, Subject
from advtool.evaluation.saving import saving
from advtool.io.atomic import is_special
from advtool.io.checkpoints import CheckpointFile
from advtool.memory import images_at_a_time
from advtool.models.checkpoint import noisy, restore
from advtool.models.classifier import Classifier
from advtool.preprocessing import Preprocessing

PLANNED = ("eps", "attack", "curve", "steps", "step_size", "search_step_size", "random_start", "restarts")


@dataclass(frozen=True)
class Inputs:
    """What is evaluated, and on which images."""

    files: Sequence[CheckpointFile]
    models: Sequence[Classifier]
    base_file: CheckpointFile | None
    base: Subject | None
    source: Source
    preprocessings: Sequence[Preprocessing | None]


def run(options: Evaluate) -> None:
    """Evaluate each checkpoint and report."""
    standard.check_stdout()
    plan = _planned(options)
    evaluating.check(plan, options.per_sample, len(options.ckpt), options.save_adversarial)
    if options.plot:
        output.check_figure(options.plot)
        if plan.union:
            raise UsageError("is for one norm", "plot", options.plot)
    if options.robustbench:
        _check_robustbench(options.robustbench, plan, len(options.ckpt))
    if options.save_adversarial:
        output.destination(options.save_adversarial, "", ".tar", force=True, parameter="save_adversarial")
    if options.per_sample and not is_special(options.per_sample):
        output.check_name(options.per_sample, "per_sample")
        output.check_directory(Path(options.per_sample).parent, "per_sample")
    device, reason = devices.choose(options.device)
    with distributed.joined():
        _run(options, plan, device, reason)


def _run(options: Evaluate, plan: Evaluation, device: torch.device, reason: str) -> None:
    inputs = _inputs(options, device)
    amp = devices.use_amp(options.amp, device)
    largest = max((model.spec.shape for model in inputs.models), key=math.prod)
    settings = devices.Settings(device, options.batch_size or images_at_a_time(largest), options.seed, amp)
    if options.dry_run:
        (first, *others) = {*inputs.preprocessings}
        options = options.decided(None if others else applied(inputs.source, first))
        output.print_json(_resolved(options, plan, inputs.source, settings))
        return
    console.detail(f"device: {reason}")
    reports = _reports(options, plan, inputs, settings)
    if not distributed.processes().is_first:
        return
    if options.plot:
        plots.plot_accuracy(Path(options.plot), reports)
    _print(reports, output.wants_json(options.json))
    if options.robustbench:
        written = robustbench.write(options.robustbench, reports[0])
        rest = ", ".join(robustbench.unknown(written))
        console.say(f"wrote {options.robustbench}" + (f"; left to fill in: {rest}" if rest else ""))
    flags = [flag for report in reports for flag in report["flags"]]
    if options.strict and flags:
        raise AdvtoolError(f"red flags: {', '.join(flag['name'] for flag in flags)}")


def _check_robustbench(path: str, plan: Evaluation, models: int) -> None:
    """Refuse what would fail after hours."""
    robustbench.check(plan, models)
    output.check_name(path, "robustbench")
    output.check_directory(Path(path).parent, "robustbench")
    if Path(path).is_file():
        robustbench.read(path)


def _planned(options: Evaluate) -> Evaluation:
    """What is measured, with every option of the attacks decided."""
    chosen = {name: getattr(options, name) for name in (*PLANNED, "loss", "eot", "calls", "lam", "base", "per_sample")}
    plan = Evaluation.of(adv=options.adv, **chosen)
    return plan.voting(options.calls) if options.smooth else plan


def _inputs(options: Evaluate, device: torch.device) -> Inputs:
    files, data = [], options.data
    for name in options.ckpt or (None,):
        file, data = open_checkpoint(name, data, options)
        files.append(file)
    source = replace(options, data=data).open()
    models = [noisy(restore(file), options.deviation).to(device) for file in files]
    base_file = open_checkpoint(options.base, data, options)[0] if options.base else None
    base = Subject(restore(base_file).to(device), options.base) if base_file else None
    said = [options.preprocessing(preprocessing_of(file, model)) for file, model in zip(files, models, strict=True)]
    if len({*said}) > 1 and not source.repeatable:
        raise UsageError("the checkpoints want other sizes, and stdin can be read once: --data SOURCE, or --size")
    return Inputs(files, models, base_file, base, source, said)


def _reports(options: Evaluate, plan: Evaluation, inputs: Inputs, settings: devices.Settings) -> list[dict[str, Any]]:
    """A report for each checkpoint; those that see the images in one size are measured in one pass over the source."""
    here = distributed.processes()
    several = here.world > 1
    if several and not inputs.source.repeatable:
        raise UsageError("several processes read their images from files, not from stdin: --data SOURCE")
    with saving(options.save_adversarial) as saver:
        running = [
            Running(
                plan,
                Subject(model, file.path, file.sha256),
                settings,
                base=inputs.base,
                per_sample=options.per_sample,
                checks=options.checks,
                saver=saver,
            )
            for file, model in zip(inputs.files, inputs.models, strict=True)
        ]
        for preprocessing in dict.fromkeys(inputs.preprocessings):
            mine = [n for n, each in enumerate(inputs.preprocessings) if each == preprocessing]
            part = None if several or plan.searches else BYTES
            with Parts(inputs.source, options.limit, preprocessing, settings.batch_size, part, here) as parts:
                _check(inputs, mine, parts)
                _measure([running[n] for n in mine], parts, plan.passes)
        reports = [each.report() for each in running]
        distributed.barrier()
    return reports


def _check(inputs: Inputs, numbers: Sequence[int], parts: Parts) -> None:
    """Refuse images that the models do not take, or know, before they are decoded."""
    name = inputs.source.name
    checked = [(inputs.models[n], inputs.files[n]) for n in numbers]
    if inputs.base is not None and inputs.base_file is not None and isinstance(inputs.base.model, Classifier):
        checked.append((inputs.base.model, inputs.base_file))
    for model, file in checked:
        check_size(model, parts.shape, name, file, "--size")
        check_classes(model, parts.head, name, file)


def _measure(running: Sequence[Running], parts: Parts, passes: int) -> None:
    """Every model on one part after another."""
    with ExitStack() as stack:
        advance: bars.Live | None = None
        for images in parts:
            count = None if parts.expected is None else len(running) * parts.expected
            total = None if count is None else passes * count
            advance = advance or stack.enter_context(bars.live("evaluating", total, count))
            advance.expect(total, count)
            for each in running:
                each.add(images, advance, own=distributed.processes().world > 1)


def _resolved(options: Evaluate, plan: Evaluation, source: Source, settings: devices.Settings) -> dict[str, Any]:
    """What a dry run shows. Of an ensemble each attack has options of its own, which ``attacks`` lists."""
    decided: dict[str, Any] = {"batch_size": settings.batch_size, "device": str(settings.device), "amp": settings.amp}
    decided |= {"data": options.data or source.name, "split": source.split}
    stages = [stage.attacks for stage in plan.stages]
    if len(stages) == 1 and len(stages[0]) == 1 and not plan.plateau and not plan.searches:
        own = stages[0][0].to_json()
        decided |= {name: own[name] for name in ("step_size", "random_start", "restarts", "loss", "eot")}
        decided["steps"] = None if own["steps"] is None else (own["steps"],)
    if stages:
        decided["calls"] = plan.calls
    attacks = [[attack.to_json() for attack in attacks] for attacks in stages]
    shown = {"attacks": attacks, "source": source.name, "split": source.split}
    return {"schema": 1, "command": "eval", **shown, **replace(options, **decided).resolved()}


def _print(reports: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        output.print_json(reports[0] if len(reports) == 1 else together(reports))
        return
    if len(reports) > 1:
        compare(reports)
    for report in reports:
        if len(reports) == 1:
            show(report)
        about = f"{report['checkpoint']['path']}: " if len(reports) > 1 else ""
        for flag in report["flags"]:
            console.line(f"{about}red flag: {flag['name']}: {flag['detail']}")
        for found in report.get("plateau", []):
            state = "reached" if found["reached"] else "not reached"
            console.line(
                f"{about}plateau at {found['adv']} {found['eps']:.4g}: {state}"
                f" ({100 * found['gain']:.2f} points from {found['from_steps']} to {found['to_steps']} steps)"
            )
