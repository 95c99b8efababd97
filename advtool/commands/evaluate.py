"""What ``advtool eval`` does once its options are parsed."""

from dataclasses import asdict, dataclass
from pathlib import Path

from advtool import device as devices
from advtool import distributed
from advtool.cli import console, output
from advtool.commands.checkpoints import check_fit, open_checkpoint
from advtool.commands.report import compare, show
from advtool.data.arrays import load
from advtool.data.sources import resolve
from advtool.errors import AdvtoolError, UsageError
from advtool.evaluation import plots
from advtool.evaluation import run as evaluating
from advtool.evaluation.plan import Evaluation
from advtool.evaluation.run import BATCH_SIZE, Subject, share, together
from advtool.models.checkpoint import restore


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

    def evaluation(self) -> Evaluation:
        """What is to be measured; refuses what does not go together."""
        plan = Evaluation.of(
            adv=self.norm,
            eps=self.radii,
            attack=self.attack,
            steps=self.steps,
            step_size=self.step_size,
            search_step_size=self.search,
            random_start=self.random_start,
            restarts=self.restarts,
            loss=self.loss,
            lam=self.lam,
            base=self.base,
            per_sample=self.per_sample,
        )
        evaluating.check(plan, self.per_sample, len(self.checkpoints or (None,)))
        if self.plot:
            plots.check_path(self.plot)
            output.check_directory(Path(self.plot).parent)
        return plan


def run(plan: Plan, as_json: bool, strict: bool, dry_run: bool) -> None:
    """Evaluate each checkpoint and report."""
    console.interruptible()
    evaluation = plan.evaluation()
    device, reason = devices.choose(plan.device)
    settings = devices.Settings(
        device, plan.batch_size or BATCH_SIZE, plan.seed, devices.use_amp(plan.amp, device, training=False)
    )
    files, data = [], plan.data
    for name in plan.checkpoints or (None,):
        file, data = open_checkpoint(name, data, "eval", plan.arch, plan.normalize)
        files.append(file)
    source = resolve(data, plan.split, default_split="test", data_root=plan.data_root, download=plan.download)
    models = [restore(file).to(device) for file in files]
    base_file = open_checkpoint(plan.base, data, "eval", plan.arch, plan.normalize)[0] if plan.base else None
    base = Subject(restore(base_file).to(device), plan.base) if base_file else None
    if dry_run:
        resolved = {**asdict(plan), "data_root": str(plan.data_root), "device": str(device), "amp": settings.amp}
        resolved |= {
            "attacks": [attack.name for attack in evaluation.attacks],
            "source": source.name,
            "split": source.split,
        }
        output.print_json({"schema": 1, "command": "eval", **resolved})
        return
    console.detail(f"device: {reason}")
    if distributed.processes().world > 1 and not source.repeatable:
        raise UsageError("several processes read their images from files, not from stdin: --data SOURCE")
    images = load(source, plan.limit)
    if base is not None:
        check_fit(base.model, images.head, images.name, base_file)
    reports = []
    with distributed.joined(device.type == "cuda"):
        for file, model in zip(files, models, strict=True):
            check_fit(model, images.head, images.name, file)
            subject = Subject(model, file.path, file.sha256)
            with console.bar("evaluating", len(share(images)) * evaluation.passes) as advance:
                made = evaluating.report(
                    evaluation,
                    subject,
                    images,
                    settings,
                    base=base,
                    per_sample=plan.per_sample,
                    checks=plan.checks,
                    progress=advance,
                )
            reports.append(made)
        distributed.barrier()
    if not distributed.processes().is_first:
        return
    if plan.plot:
        plots.plot_accuracy(Path(plan.plot), reports)
    _print(reports, as_json)
    flags = [flag for report in reports for flag in report["flags"]]
    if strict and flags:
        raise AdvtoolError(f"red flags: {', '.join(flag['name'] for flag in flags)}")


def _print(reports: list[dict], as_json: bool) -> None:
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
            print(f"{about}red flag: {flag['name']}: {flag['detail']}")
        for found in report.get("plateau", []):
            state = "reached" if found["reached"] else "not reached"
            print(
                f"{about}plateau at {found['adv']} {found['eps']:.4g}: {state}"
                f" ({100 * found['gain']:.2f} points from {found['from_steps']} to {found['to_steps']} steps)"
            )
