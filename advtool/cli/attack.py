"""``advtool attack``: adversarial examples as shards."""

from typing import Annotated

import typer

from advtool.cli import console, options, output, parse
from advtool.errors import UsageError

BATCH_SIZE = 512


def attack(
    ckpt: options.Ckpt = None,
    arch: options.CkptArch = None,
    normalize: options.Normalize = None,
    data: options.Data = None,
    split: options.Split = None,
    attack_: Annotated[
        str,
        typer.Option(
            "--attack",
            metavar="NAME",
            help="fgsm, pgd, apgd, apgd-ce, apgd-dlr, apgd-t, cw, ddn, fab or square. Default: pgd.",
        ),
    ] = "pgd",
    adv: options.Adv = "l2",
    eps: options.Eps = None,
    targeted: Annotated[
        bool,
        typer.Option("--targeted", help="Push each image towards the label it carries. Default: away from it."),
    ] = False,
    steps: Annotated[
        int | None,
        typer.Option(
            "--steps",
            metavar="K",
            min=0,
            help="Steps, or queries of square. Default: 50 (pgd), 100 (apgd, fab), 1000 (cw, ddn), 5000 (square).",
        ),
    ] = None,
    step_size: options.StepSize = None,
    random_start: options.RandomStart = None,
    restarts: options.Restarts = 1,
    loss: options.Loss = None,
    keep: Annotated[
        str | None,
        typer.Option(
            "--keep", metavar="best|last", help="Iterate of pgd to write. Default: last if --targeted, else best."
        ),
    ] = None,
    file_format: Annotated[
        str,
        typer.Option(
            "--format", metavar="float32|png8", help="float32 (.npy), or 8-bit PNG kept in the ball. Default: float32."
        ),
    ] = "float32",
    shard_size: options.ShardSize = None,
    out: options.ShardOut = None,
    force: options.Force = False,
    resume: options.ResumeShards = False,
    limit: options.Limit = None,
    data_root: options.DataRoot = None,
    download: options.Download = False,
    batch_size: options.BatchSize = None,
    seed: options.Seed = 0,
    device: options.Device = "auto",
    amp: options.Amp = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    dry_run: options.DryRun = False,
) -> None:
    """Attack every image of a stream and write the results as shards, labels kept.

    Reads the train split of a source that has splits. Attacks that look for the smallest perturbation (cw, ddn, fab)
    work without --eps; with it, what they write stays within it.
    """
    console.set_level(quiet, verbose)
    norm, radius = _ball(adv, eps)
    size = None if step_size is None else parse.number(step_size, "--step-size")
    parse.choice(file_format, "--format", ("float32", "png8"))
    parse.choice(keep, "--keep", ("best", "last"))
    parse.choice(loss, "--loss", ("ce", "dlr", "margin"))

    import itertools
    import math

    from advtool import device as devices
    from advtool import distributed, registry
    from advtool.commands.checkpoints import check_fit, open_checkpoint
    from advtool.commands.shard_output import recorded_command, shard_destination
    from advtool.data.arrays import SampleChecker, complete
    from advtool.data.sources import resolve
    from advtool.datasets.adversarial import Tally, adversarial_samples
    from advtool.models.checkpoint import restore

    console.interruptible()
    chosen, reason = devices.choose(device)
    amp = devices.use_amp(amp, chosen, training=False)
    asked = {"steps": steps, "step_size": size, "random_start": random_start, "restarts": restarts}
    asked |= {"loss": loss, "keep": keep, "targeted": targeted}
    method = registry.get(attack_).plan(registry.ball(norm, math.inf if radius is None else radius), asked)
    file, data = open_checkpoint(ckpt, data, "attack", arch, normalize)
    source = resolve(data, split, data_root=data_root, download=download)
    target = shard_destination(out, source, force, shard_size, f"{method.name}-{norm}", resumable=True, resume=resume)
    model = restore(file).to(chosen)
    if dry_run:
        described = {"command": "attack", **method.to_json(), "seed": seed, "amp": amp, "checkpoint": file.path}
        output.print_json({"schema": 1, **described, "source": source.name, "output": target.name})
        return
    reader = source.open()
    samples, head = _peek(reader)
    check_fit(model, complete(head, head.shape, 0), source.name, file)
    record = {
        "command": "attack",
        **method.to_json(),
        "seed": seed,
        "amp": amp,
        "checkpoint": {"sha256": file.sha256, "arch": model.spec.arch},
        "format": file_format,
    }
    head = head.after(recorded_command(), record, classes=model.spec.classes, num_classes=len(model.spec.classes))
    settings = devices.Settings(chosen, batch_size or BATCH_SIZE, seed, amp)
    console.detail(f"device: {reason}")
    tally = Tally()
    todo = target.todo(head, itertools.islice(samples, limit))
    with distributed.joined(chosen.type == "cuda"), console.bar(f"attacking ({method.name})", limit) as advance:
        attacked = adversarial_samples(todo, SampleChecker(head), model, method, settings, tally, file_format, advance)
        target.write(head, attacked)
    console.say(f"wrote {tally.describe()} to {target.name}")


def _ball(adv: str, eps: str | None) -> tuple[str, float | None]:
    if adv == "none":
        raise UsageError("--adv none: an attack needs a norm, l2 or linf")
    if eps is None:
        return parse.norm(adv), None
    norm, radii = parse.threat_model(adv, eps)
    if len(radii) > 1:
        raise UsageError(f"--eps {eps}: an attack takes one radius")
    return norm, radii[0]


def _peek(reader):
    """(all samples, head with the shape of the first one filled in)."""
    import itertools
    from dataclasses import replace

    samples = iter(reader)
    first = next(samples)
    return itertools.chain([first], samples), replace(reader.head, shape=reader.head.shape or first.shape())
