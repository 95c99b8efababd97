"""``advtool eval``: how accurate and how robust checkpoints are."""

from typing import Annotated

import typer

from advtool.cli import console, options, output, parse
from advtool.errors import UsageError


def evaluate(
    ckpt: Annotated[
        list[str] | None,
        typer.Option(
            "--ckpt", metavar="FILE|-", help="Checkpoint; repeat it to compare. Default: stdin, if that carries one."
        ),
    ] = None,
    arch: options.CkptArch = None,
    normalize: options.Normalize = None,
    data: options.Data = None,
    split: options.Split = None,
    adv: options.Adv = "none",
    eps: options.EpsList = None,
    attack: Annotated[
        str,
        typer.Option(
            "--attack",
            metavar="NAME[,NAME…]",
            help="pgd, autoattack, or a list of attacks, each on what still stands. Default: pgd.",
        ),
    ] = "pgd",
    steps: Annotated[
        str | None,
        typer.Option(
            "--steps",
            metavar="K[,K…]",
            help="Steps of the attack; several give a curve of pgd. Default: 50 (pgd), 100 (apgd, fab), 1000 (cw, ddn),"
            " 5000 queries (square).",
        ),
    ] = None,
    step_size: options.StepSize = None,
    search_step_size: Annotated[
        bool,
        typer.Option(
            "--search-step-size", help="Of 1/4 to 4 times the step size of pgd take the strongest. Default: off."
        ),
    ] = False,
    random_start: options.RandomStart = None,
    restarts: options.Restarts = 1,
    loss: options.Loss = None,
    lam: Annotated[
        float, typer.Option("--lam", metavar="L", min=0, help="Weight of adversarial risk in joint risk. Default: 1.")
    ] = 1.0,
    base: Annotated[
        str | None,
        typer.Option(
            "--base",
            metavar="FILE",
            help="Base classifier of the risks: a perturbation counts only where it keeps its answer. Default: the"
            " label.",
        ),
    ] = None,
    checks: Annotated[
        bool,
        typer.Option("--checks/--no-checks", help="Look for red flags on up to 100 images. Default: on with --adv."),
    ] = True,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 1 if there is a red flag. Default: report it.")
    ] = (False),
    per_sample: Annotated[
        str | None,
        typer.Option(
            "--per-sample",
            metavar="FILE",
            help="Write what became of each image as JSON lines; an interrupted run goes on from it. Default: off.",
        ),
    ] = None,
    plot: Annotated[
        str | None,
        typer.Option(
            "--plot", metavar="FILE", help="Draw accuracy against steps or eps: .png, .pdf, .svg. Default: off."
        ),
    ] = None,
    limit: options.Limit = None,
    data_root: options.DataRoot = None,
    download: options.Download = False,
    batch_size: options.BatchSize = None,
    seed: options.Seed = 0,
    device: options.Device = "auto",
    amp: options.Amp = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    dry_run: options.DryRun = False,
) -> None:
    """Report clean accuracy, and robust accuracy under attack at one or more radii, with 95% intervals.

    Reads the test split. The checkpoint may come from stdin: advtool train … | advtool eval --adv l2 --eps 0.5
    """
    console.set_level(quiet, verbose)
    norm, radii = parse.threat_model(adv, eps)
    size = None if step_size is None else parse.number(step_size, "--step-size")
    counts = parse.integers(steps, "--steps")
    parse.choice(loss, "--loss", ("ce", "dlr", "margin"))
    if not norm and plot:
        raise UsageError("--plot needs --adv and --eps")

    from advtool.commands.evaluate import Plan, run

    plan = Plan(
        checkpoints=tuple(ckpt or ()),
        arch=arch,
        normalize=normalize,
        data=data,
        split=split,
        data_root=data_root,
        download=download,
        limit=limit,
        norm=norm,
        radii=tuple(radii),
        attack=attack,
        steps=counts,
        step_size=size,
        search=search_step_size,
        random_start=random_start,
        restarts=restarts,
        loss=loss,
        lam=lam,
        base=base,
        checks=checks,
        per_sample=per_sample,
        plot=plot,
        batch_size=batch_size,
        seed=seed,
        device=device,
        amp=amp,
    )
    run(plan, as_json=output.wants_json(json), strict=strict, dry_run=dry_run)
