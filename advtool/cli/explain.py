"""``advtool explain``: pictures of what a model looks at, with numbers beside them."""

from typing import Annotated

import typer

from advtool.cli import console, options, parse
from advtool.errors import UsageError


def explain(
    ckpt: Annotated[
        list[str] | None,
        typer.Option(
            "--ckpt", metavar="FILE|-", help="Checkpoint; repeat it for a row each. Default: stdin, if that has one."
        ),
    ] = None,
    arch: options.CkptArch = None,
    normalize: options.Normalize = None,
    data: Annotated[
        list[str] | None,
        typer.Option(
            "--data",
            metavar="SOURCE",
            help="Images, as everywhere; repeat it with --method samples. Default: stdin if it is a pipe or file, else"
            " digits.",
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            "--split",
            metavar="train|test",
            help="Part of a named dataset or directory to read. Default: test; train for weights and samples.",
        ),
    ] = None,
    method: Annotated[
        str,
        typer.Option(
            "--method",
            metavar="NAME[,NAME…]",
            help="gradient, integrated-gradients, smoothgrad (or a list of these), large-eps, interpolate, weights or"
            " samples. Default: gradient.",
        ),
    ] = "gradient",
    of: Annotated[
        str | None,
        typer.Option(
            "--of",
            metavar="loss|logit",
            help="What to attribute to pixels: the label's cross-entropy, or its logit. Default: loss for gradient,"
            " else logit.",
        ),
    ] = None,
    baseline: Annotated[
        str, typer.Option("--baseline", metavar="G", help="Grey level integrated-gradients start from. Default: 0.")
    ] = "0",
    variance: Annotated[
        str, typer.Option("--variance", metavar="V", help="Of the noise of smoothgrad, in pixels². Default: 0.25.")
    ] = "0.25",
    adv: Annotated[
        str, typer.Option("--adv", metavar="l2|linf", help="Norm of large-eps and interpolate. Default: l2.")
    ] = "l2",
    eps: Annotated[
        str | None,
        typer.Option(
            "--eps",
            metavar="E",
            help="Radius of large-eps and interpolate. Default: by image size, as in Tsipras et al. 2018 (28×28: l2 4,"
            " linf 0.3).",
        ),
    ] = None,
    target: Annotated[
        str,
        typer.Option(
            "--target",
            metavar="random|none|CLASS",
            help="Class that large-eps and interpolate go to; none: just away from the label. Default: random.",
        ),
    ] = "random",
    steps: Annotated[
        int | None,
        typer.Option(
            "--steps",
            metavar="K",
            min=1,
            help="PGD steps (default 40), copies of smoothgrad (50), points of integrated-gradients. Default of those:"
            " 64, and more where their sum is off by over 1%.",
        ),
    ] = None,
    step_size: Annotated[
        str | None, typer.Option("--step-size", metavar="A", help="Of PGD. Default: 2.5·eps/steps.")
    ] = None,
    points: Annotated[
        int, typer.Option("--points", metavar="K", min=2, max=200, help="Pictures of interpolate. Default: 20.")
    ] = 20,
    limit: Annotated[
        int | None,
        typer.Option(
            "-n",
            "--limit",
            metavar="N",
            min=1,
            help="Use the first N images. Default: 10; 4 to interpolate; weights: all.",
        ),
    ] = None,
    random: Annotated[
        bool, typer.Option("--random", help="Draw the N images by the seed instead. Default: the first ones.")
    ] = False,
    columns: Annotated[
        int,
        typer.Option(
            "--columns", metavar="N", min=1, max=100, help="Images to draw, of those used. Default: up to 10."
        ),
    ] = 10,
    names: Annotated[
        str | None, typer.Option("--names", metavar="A,B,…", help="Labels of the rows. Default: the file names.")
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--out",
            metavar="FILE|-",
            help="Picture, .png, .pdf or .svg (.gif to interpolate), PNG to a pipe. Default: stdout if it is a pipe or"
            " file, else a fresh file; none with --json or --shards.",
        ),
    ] = None,
    shards: Annotated[
        str | None,
        typer.Option(
            "--shards",
            metavar="FILE|-",
            help="Write images and attributions as a tar, KEY.attribution.npy in float32. Default: off.",
        ),
    ] = None,
    force: options.Force = False,
    data_root: options.DataRoot = None,
    download: options.Download = False,
    batch_size: Annotated[
        int | None,
        typer.Option("--batch-size", metavar="N", min=1, help="Images at a time. Default: by image size, at most 512."),
    ] = None,
    seed: options.Seed = 0,
    device: options.Device = "auto",
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    dry_run: options.DryRun = False,
) -> None:
    """Draw a grid of what models look at, a row a model and a column an image, and measure it.

    Reads the test split. --method samples needs no checkpoint: it puts datasets side by side, matched by source image.
    """
    console.set_level(quiet, verbose)
    norm = parse.norm(adv)
    radius = None if eps is None else parse.threat_model(adv, eps)[1]
    if norm == "none" or len(radius or [0]) > 1:
        raise UsageError("--adv and --eps: large-eps and interpolate take one norm, l2 or linf, and one radius")
    parse.choice(of, "--of", ("loss", "logit"))

    from advtool.commands.explain import ExplainPlan, run

    plan = ExplainPlan(
        checkpoints=tuple(ckpt or ()),
        arch=arch,
        normalize=normalize,
        data=tuple(data or ()),
        split=split,
        data_root=data_root,
        download=download,
        methods=tuple(method.split(",")),
        of=of,
        baseline=parse.number(baseline, "--baseline"),
        variance=parse.number(variance, "--variance"),
        norm=norm,
        eps=radius[0] if radius else None,
        target=target,
        steps=steps,
        step_size=None if step_size is None else parse.number(step_size, "--step-size"),
        points=points,
        limit=limit,
        random=random,
        columns=columns,
        names=tuple(names.split(",")) if names else (),
        batch_size=batch_size,
        seed=seed,
        device=device,
    )
    run(plan, out, shards, force, json, dry_run)
