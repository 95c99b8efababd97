"""``advtool train``: a classifier, plainly or against an adversary."""

from typing import Annotated

import typer

from advtool.cli import console, objective_options, options, parse
from advtool.errors import UsageError
from advtool.threat import Threat


def train(
    data: options.Data = None,
    split: options.Split = None,
    adv: options.Adv = "none",
    eps: options.Eps = None,
    steps: options.Steps = None,
    step_size: options.StepSize = None,
    random_start: options.RandomStart = None,
    objective: objective_options.Objective = None,
    lam: objective_options.Lam = None,
    beta: objective_options.Beta = None,
    replays: objective_options.Replays = None,
    attack_correct_only: objective_options.AttackCorrectOnly = False,
    eps_warmup: objective_options.EpsWarmup = None,
    noise: objective_options.Noise = None,
    arch: Annotated[
        str | None,
        typer.Option(
            "--arch",
            metavar="NAME",
            help="Architecture: linear, mlp, cnn-small, cnn, resnet-tsipras, wrn-28-10, inception, any in torchvision,"
            " or timm:NAME. Default: by image size, cnn-small to resnet50.",
        ),
    ] = None,
    width: Annotated[
        float | None,
        typer.Option("--width", metavar="W", help="Factor on the width of every layer. Default: 1."),
    ] = None,
    hidden: Annotated[
        str | None,
        typer.Option("--hidden", metavar="N,…", help="Hidden sizes of the mlp. Default: 1024,1024."),
    ] = None,
    top_pixels: Annotated[
        int | None,
        typer.Option(
            "--top-pixels",
            metavar="K",
            min=1,
            help="Let the model see only the K pixels that correlate most with the label. Default: all.",
        ),
    ] = None,
    init: Annotated[
        str | None,
        typer.Option("--init", metavar="FILE|-", help="Start from this checkpoint. Default: random weights."),
    ] = None,
    normalize: options.Normalize = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            "--epochs",
            metavar="N",
            min=0,
            help="Passes over the data. Default: 15 up to 16×16 pixels, 10 up to 28×28, else 150.",
        ),
    ] = None,
    batch_size: options.BatchSize = None,
    optimizer: Annotated[
        str | None,
        typer.Option("--optimizer", metavar="sgd|adam", help="Default: adam (AdamW) up to 28×28 pixels, else sgd."),
    ] = None,
    lr: Annotated[
        float | None,
        typer.Option(
            "--lr",
            metavar="R",
            min=0,
            help="Peak learning rate. Default: 0.005 up to 16×16 pixels, 0.002 up to 28×28, else 0.1.",
        ),
    ] = None,
    momentum: Annotated[
        float | None,
        typer.Option("--momentum", metavar="M", min=0, max=1, help="Of SGD, or Adam's β₁. Default: 0.9."),
    ] = None,
    weight_decay: Annotated[
        float | None,
        typer.Option("--weight-decay", metavar="D", min=0, help="Default: 0.0005; 0 turns it off."),
    ] = None,
    schedule: Annotated[
        str | None,
        typer.Option(
            "--schedule",
            metavar="constant|step|cosine|one-cycle",
            help="Of the learning rate. Default: one-cycle up to 28×28 pixels, else step.",
        ),
    ] = None,
    lr_drops: Annotated[
        str | None,
        typer.Option("--lr-drops", metavar="E,…", help="Epochs at which 'step' drops the rate. Default: 1/3 and 2/3."),
    ] = None,
    lr_drop_factor: Annotated[
        float | None,
        typer.Option("--lr-drop-factor", metavar="F", min=0, max=1, help="Of each drop. Default: 0.1."),
    ] = None,
    label_smoothing: Annotated[
        float | None,
        typer.Option(
            "--label-smoothing",
            metavar="S",
            min=0,
            max=0.999,
            help="Target mass spread over all classes. Default: 0.3 for adversarial training up to 16×16 pixels,"
            " else 0 (off).",
        ),
    ] = None,
    augment: Annotated[
        str | None,
        typer.Option(
            "--augment",
            metavar="none|crop|flip|crop+flip|rrc|rrc+flip",
            help="Per image: crops padded by 4, or random-resized crops. Default: none up to 28×28 pixels, else"
            " crop+flip, with --size rrc+flip (no flips for svhn and digits).",
        ),
    ] = None,
    side: Annotated[
        int | None,
        typer.Option(
            "--size",
            metavar="PIXELS",
            min=1,
            max=4096,
            help="Scale images of any size: by random-resized crops in training, to the centre square in the test."
            " Default: as they are.",
        ),
    ] = None,
    ema: objective_options.Ema = None,
    ema_decay: objective_options.EmaDecay = None,
    val: objective_options.Val = None,
    select: objective_options.Select = None,
    trials: objective_options.Trials = None,
    eval_data: Annotated[
        list[str] | None,
        typer.Option(
            "--eval-data",
            metavar="[NAME=]SOURCE",
            help="Record accuracy on these images (test split, where there is one) as training goes on; repeat it for"
            " more sets. Default: none.",
        ),
    ] = None,
    eval_every: Annotated[
        int,
        typer.Option("--eval-every", metavar="N", min=1, help="Epochs between two such records. Default: 1."),
    ] = 1,
    plot: Annotated[
        str | None,
        typer.Option(
            "--plot", metavar="FILE", help="Draw accuracy against epochs as .png, .pdf or .svg. Default: off."
        ),
    ] = None,
    out: options.Out = None,
    force: options.Force = False,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on from the last epoch in OUT.state, which an unfinished run with -o leaves. Default: start anew.",
        ),
    ] = False,
    test_limit: Annotated[
        int,
        typer.Option(
            "--test-limit",
            metavar="N",
            min=0,
            help="Test images to attack in the final evaluation, drawn by key; 0 for all. Default: 1000.",
        ),
    ] = 1000,
    limit: options.Limit = None,
    data_root: options.DataRoot = None,
    download: options.Download = False,
    max_memory: options.MaxMemory = None,
    workers: Annotated[
        int, typer.Option("--workers", metavar="N", min=1, help="Threads that decode streamed images. Default: 2.")
    ] = 2,
    seed: options.Seed = 0,
    device: options.Device = "auto",
    amp: options.Amp = None,
    compile_: Annotated[
        bool,
        typer.Option("--compile/--no-compile", help="Compile the network with torch.compile. Default: off."),
    ] = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    dry_run: options.DryRun = False,
) -> None:
    """Train a classifier, plainly or adversarially, and write its checkpoint.

    Afterwards it is evaluated once on the test split, where there is one: clean, and under PGD of 50 steps. Which epoch
    is kept never depends on that.
    """
    console.set_level(quiet, verbose)
    norm, radii = parse.threat_model(adv, eps)
    if len(radii) > 1:
        raise UsageError(f"--eps {eps}: training takes one radius")
    size = None if step_size is None else parse.number(step_size, "--step-size")
    kind = objective or "pgd"
    threat = Threat.training(norm, radii[0], steps, size, random_start, kind) if norm else None
    settings = {
        "optimizer": optimizer,
        "lr": lr,
        "momentum": momentum,
        "weight_decay": weight_decay,
        "schedule": schedule,
        "lr_drops": parse.integers(lr_drops, "--lr-drops"),
        "lr_drop_factor": lr_drop_factor,
        "label_smoothing": label_smoothing,
        "augment": augment,
        "batch_size": batch_size,
        **objective_options.settings(
            objective=objective,
            lam=lam,
            beta=beta,
            replays=replays,
            attack_correct_only=attack_correct_only,
            noise=noise,
            eps_warmup=eps_warmup,
            ema=ema,
            ema_decay=ema_decay,
            val=val,
            select=select,
        ),
    }
    args = {"width": width, "hidden": parse.integers(hidden, "--hidden")}
    if width is not None and not 0 < width <= 64:
        raise UsageError("--width must be positive, and at most 64")
    if hidden is not None:
        args["hidden"] = list(args["hidden"])

    from advtool.commands.train import Place
    from advtool.commands.train import train as run
    from advtool.training.run import Wishes

    wishes = Wishes(
        arch=arch,
        arch_args={name: value for name, value in args.items() if value is not None},
        top_pixels=top_pixels,
        size=side,
        epochs=epochs,
        settings={name: value for name, value in settings.items() if value is not None},
        threat=threat,
        seed=seed,
        amp=amp,
        compile=compile_,
        limit=limit,
        max_memory=max_memory,
        workers=workers,
    )
    run(
        wishes,
        Place(
            data=data,
            split=split,
            data_root=data_root,
            download=download,
            init=init,
            eval_data=tuple(eval_data or ()),
            eval_every=eval_every,
            plot=plot,
            normalize=normalize,
            device=device,
            out=out,
            force=force,
            resume=resume,
            test_limit=test_limit,
            trials=trials,
            json=json,
            dry_run=dry_run,
        ),
    )
