"""What ``advtool eval`` does once its options are parsed."""

import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from advtool import device as devices
from advtool import distributed, registry
from advtool.cli import console, output
from advtool.commands.checkpoints import check_fit, open_checkpoint
from advtool.commands.report import compare, show
from advtool.data.arrays import Images, load
from advtool.data.sources import resolve
from advtool.errors import AdvtoolError, UsageError
from advtool.evaluation import plots
from advtool.evaluation.cascade import evaluate_ensemble
from advtool.evaluation.curves import plateau, steps_curve
from advtool.evaluation.evaluate import evaluate
from advtool.evaluation.flags import red_flags
from advtool.evaluation.merge import merged
from advtool.evaluation.per_sample import PerSampleFile
from advtool.evaluation.relative import relative_risk
from advtool.evaluation.transfer import targeted_success
from advtool.io.checkpoints import CheckpointFile
from advtool.models.checkpoint import restore
from advtool.models.classifier import Classifier
from advtool.registry import Attack, Planned, ensemble


@dataclass(frozen=True)
class Plan:
    """The options of ``advtool eval``, parsed."""

    checkpoints: tuple[str, ...]
    arch: str | None
    normalize: str | None
    data: str | None
    split: str | None
    data_root: Path | None
    download: bool
    limit: int | None
    norm: str | None
    radii: tuple[float, ...]
    attack: str
    steps: tuple[int, ...] | None
    step_size: float | None
    search: bool
    random_start: bool | None
    restarts: int
    loss: str | None
    lam: float
    base: str | None
    checks: bool
    per_sample: str | None
    plot: str | None
    batch_size: int | None
    seed: int
    device: str
    amp: bool | None

    @property
    def is_curve(self) -> bool:
        return self.attack == "pgd" and (self.search or len(self.steps or ()) > 1)

    @property
    def is_ensemble(self) -> bool:
        return self.attack != "pgd" or self.per_sample is not None

    @property
    def asked(self) -> dict:
        """What is asked of the attacks."""
        asked = {"steps": self.steps[0] if self.steps else None, "step_size": self.step_size, "loss": self.loss}
        return {**asked, "random_start": self.random_start, "restarts": self.restarts}

    def plans(self, attacks: tuple[Attack, ...]) -> list[tuple[Planned, ...]]:
        """The attacks with all of their options, for each radius."""
        return [registry.plans(attacks, registry.ball(self.norm, radius), self.asked) for radius in self.radii]

    def check(self, attacks: tuple[Attack, ...]) -> None:
        """Refuse what does not go together."""
        self.plans(attacks)
        if len(self.steps or ()) > 1 and self.is_ensemble:
            raise UsageError("--steps with several values is for --attack pgd, without --per-sample")
        if self.search and self.is_ensemble:
            raise UsageError("--search-step-size is for --attack pgd, without --per-sample")
        if self.base and (self.is_ensemble or self.is_curve):
            raise UsageError("--base is for --attack pgd at one number of steps")
        if self.per_sample and len(self.checkpoints) > 1:
            raise UsageError("--per-sample takes one --ckpt")
        if distributed.processes().world > 1 and (self.per_sample or self.search):
            raise UsageError("--per-sample and --search-step-size are for one process")
        if self.plot:
            plots.check_path(self.plot)
            output.check_directory(Path(self.plot).parent)


def run(plan: Plan, as_json: bool, strict: bool, dry_run: bool) -> None:
    """Evaluate each checkpoint and report."""
    console.interruptible()
    attacks = ensemble(plan.attack)
    plan.check(attacks)
    device, reason = devices.choose(plan.device)
    settings = devices.Settings(
        device, plan.batch_size or 512, plan.seed, devices.use_amp(plan.amp, device, training=False)
    )
    files, data = [], plan.data
    for name in plan.checkpoints or (None,):
        file, data = open_checkpoint(name, data, "eval", plan.arch, plan.normalize)
        files.append(file)
    source = resolve(data, plan.split, default_split="test", data_root=plan.data_root, download=plan.download)
    models = [restore(file).to(device) for file in files]
    base_file = open_checkpoint(plan.base, data, "eval", plan.arch, plan.normalize)[0] if plan.base else None
    base = restore(base_file).to(device) if base_file else None
    if dry_run:
        resolved = {**asdict(plan), "data_root": str(plan.data_root), "device": str(device), "amp": settings.amp}
        resolved |= {"attacks": [attack.name for attack in attacks], "source": source.name, "split": source.split}
        output.print_json({"schema": 1, "command": "eval", **resolved})
        return
    console.detail(f"device: {reason}")
    if distributed.processes().world > 1 and not source.repeatable:
        raise UsageError("several processes read their images from files, not from stdin: --data SOURCE")
    images = load(source, plan.limit)
    if base is not None:
        check_fit(base, images.head, images.name, base_file)
    reports = []
    with distributed.joined(device.type == "cuda"):
        for file, model in zip(files, models, strict=True):
            check_fit(model, images.head, images.name, file)
            reports.append(_evaluate(plan, attacks, file, model, base, images, settings))
        distributed.barrier()
    if not distributed.processes().is_first:
        return
    if plan.plot:
        plots.plot_accuracy(Path(plan.plot), reports)
    _print(reports, as_json)
    flags = [flag for report in reports for flag in report["flags"]]
    if strict and flags:
        raise AdvtoolError(f"red flags: {', '.join(flag['name'] for flag in flags)}")


def _evaluate(
    plan: Plan,
    attacks: tuple[Attack, ...],
    file: CheckpointFile,
    model: Classifier,
    base: Classifier | None,
    images: Images,
    settings: devices.Settings,
) -> dict:
    """The report on one checkpoint."""
    started = time.perf_counter()
    mine = _share(images)
    n, passes = len(images), 1 + len(plan.radii) * (len(plan.steps or (1,)) if plan.is_curve else 1)
    with console.bar("evaluating", len(mine) * passes) as advance:
        parts = distributed.gathered(_measure(plan, attacks, file, model, base, mine, settings, advance))
    result = merged(parts) if len(parts) > 1 else parts[0]
    for entry in result["adversarial"]:
        entry["risk"]["joint"] = entry["risk"]["classification"] + plan.lam * entry["risk"]["adversarial"]
    if plan.is_curve and len(plan.steps or ()) > 1:
        result["plateau"] = _plateaus(plan, result["adversarial"])
    seconds = time.perf_counter() - started
    checks = plan.checks and distributed.processes().is_first
    report = {
        "schema": 1,
        "command": "eval",
        "checkpoint": {"path": file.path, "sha256": file.sha256, "arch": model.spec.arch},
        "data": {"source": images.name, "split": images.split, "n": n, "classes": images.head.num_classes},
        **result,
        "flags": red_flags(model, images, result, attacks, settings) if checks else [],
        "seed": plan.seed,
        "device": str(settings.device),
        "seconds": round(seconds, 3),
        "images_per_second": round(n * passes / seconds, 1),
    }
    return report


def _measure(
    plan: Plan,
    attacks: tuple[Attack, ...],
    file: CheckpointFile,
    model: Classifier,
    base: Classifier | None,
    images: Images,
    settings: devices.Settings,
    advance,
) -> dict:
    """Accuracies and risks on these images."""
    planned = [] if plan.is_curve or plan.is_ensemble else [attacks for (attacks,) in plan.plans(attacks)]
    result = evaluate(model, images, planned, settings, advance)
    if plan.is_curve:
        result["adversarial"] = _curves(plan, model, images, settings, advance)
    elif plan.is_ensemble:
        result["adversarial"] = _ensembles(plan, attacks, file, model, images, settings, advance)
    if base is not None:
        for entry, attack in zip(result["adversarial"], planned, strict=True):
            entry["risk"] = {**relative_risk(model, base, images, attack, plan.lam, settings), "base": plan.base}
    targeted = targeted_success(model, images, settings)
    return result | ({"targeted": targeted} if targeted else {})


def _share(images: Images) -> Images:
    """This process's part of the images."""
    here = distributed.processes()
    if len(images) < here.world:
        raise AdvtoolError(f"{images.name}: {len(images)} images for {here.world} processes")
    return images if here.world == 1 else images.take(np.arange(here.rank, len(images), here.world))


def _curves(plan: Plan, model: Classifier, images: Images, settings: devices.Settings, advance) -> list[dict]:
    options = (plan.step_size, plan.search, plan.random_start, advance)
    balls = [registry.ball(plan.norm, radius) for radius in plan.radii]
    curves = [steps_curve(model, images, ball, plan.steps or (50,), settings, *options) for ball in balls]
    return [entry for curve in curves for entry in curve]


def _plateaus(plan: Plan, entries: list[dict]) -> list[dict]:
    """Whether the curve of each radius has come to its end."""
    curves = {radius: [entry for entry in entries if entry["eps"] == radius] for radius in plan.radii}
    return [{"adv": plan.norm, "eps": radius, **plateau(curve)} for radius, curve in curves.items()]


def _ensembles(
    plan: Plan,
    attacks: tuple[Attack, ...],
    file: CheckpointFile,
    model: Classifier,
    images: Images,
    settings: devices.Settings,
    advance,
) -> list[dict]:
    options = {}
    if plan.per_sample:
        names = [attack.name for attack in attacks]
        asked = {**plan.asked, "norm": plan.norm, "seed": plan.seed, "amp": settings.amp}
        asked |= {"targeted": False, "keep": None}
        record = PerSampleFile(Path(plan.per_sample), {"sha256": file.sha256, "attacks": names, "request": asked})
        if len(record):
            console.say(f"{plan.per_sample}: {len(record):,} outcomes are there already")
        options = {"known": record.known, "sink": record.append}
    plans = plan.plans(attacks)
    return [evaluate_ensemble(model, images, planned, settings, advance, **options)[0] for planned in plans]


def _print(reports: list[dict], as_json: bool) -> None:
    if as_json:
        output.print_json(reports[0] if len(reports) == 1 else {"schema": 1, "command": "eval", "models": reports})
        return
    if len(reports) > 1:
        compare(reports)
    for report in reports:
        if len(reports) == 1:
            show(report)
        about = f"{report['checkpoint']['path']}: " if len(reports) > 1 else ""
        for flag in report["flags"]:
            print(f"{about}red flag: {flag['name']}: {flag['detail']}")
        for found in report.get("plateau", []):
            state = "reached" if found["reached"] else "not reached"
            print(
                f"{about}plateau at {found['adv']} {found['eps']:.4g}: {state}"
                f" ({100 * found['gain']:.2f} points from {found['from_steps']} to {found['to_steps']} steps)"
            )
