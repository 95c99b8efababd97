"""``advtool distill``: datasets out of a model's features."""

from typing import Annotated

import typer

from advtool.cli import console, options, output, parse
from advtool.errors import UsageError

BATCH_SIZE = 512


def distill(
    ckpt: Annotated[
        str | None,
        typer.Option(
            "--robust",
            "--ckpt",
            metavar="FILE|-",
            help="Checkpoint whose features to keep. Default: stdin, if that carries safetensors.",
        ),
    ] = None,
    arch: options.CkptArch = None,
    normalize: options.Normalize = None,
    data: options.Data = None,
    split: options.Split = None,
    from_: Annotated[
        str,
        typer.Option(
            "--from", metavar="image|noise", help="Start at another image of the set, or at noise. Default: image."
        ),
    ] = "image",
    steps: Annotated[
        int | None,
        typer.Option(
            "--steps",
            metavar="K",
            min=0,
            help="Gradient steps. Default: 1000 up to 64×64 pixels, else 2000; 10000 from noise.",
        ),
    ] = None,
    step_size: Annotated[
        str | None,
        typer.Option(
            "--step-size",
            metavar="A",
            help="l2 length of a step, on the [0,1] pixel scale. Default: 0.1 up to 64×64 pixels, else 1.",
        ),
    ] = None,
    tol: Annotated[
        float | None,
        typer.Option(
            "--tol", metavar="T", min=0, help="Stop an image once its relative distance is at most this. Default: off."
        ),
    ] = None,
    layer: Annotated[
        str | None,
        typer.Option(
            "--layer", metavar="NAME", help="Module whose output to match. Default: the input of the last affine layer."
        ),
    ] = None,
    shard_size: options.ShardSize = None,
    out: options.ShardOut = None,
    force: options.Force = False,
    resume: options.ResumeShards = False,
    limit: options.Limit = None,
    data_root: options.DataRoot = None,
    download: options.Download = False,
    max_memory: options.MaxMemory = None,
    batch_size: options.BatchSize = None,
    seed: options.Seed = 0,
    device: options.Device = "auto",
    amp: Annotated[
        bool, typer.Option("--amp/--no-amp", help="Compute the steps in bfloat16: faster, less exact. Default: off.")
    ] = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    dry_run: options.DryRun = False,
) -> None:
    """Turn each image into another one with the same representation under a model, labels kept.

    From a robust model that is the robust dataset D_R of Ilyas et al. 2019, from a standard one the non-robust D_NR.
    Reads the train split of a source that has splits.
    """
    console.set_level(quiet, verbose)
    parse.choice(from_, "--from", ("image", "noise"))
    size = None if step_size is None else parse.number(step_size, "--step-size")
    if size is not None and size <= 0:
        raise UsageError("--step-size must be positive")

    import itertools
    from dataclasses import replace

    from advtool import device as devices
    from advtool import distributed
    from advtool.commands.checkpoints import check_size, open_checkpoint
    from advtool.commands.shard_output import recorded_command, shard_destination
    from advtool.data.arrays import SampleChecker
    from advtool.data.sources import resolve
    from advtool.datasets.distilled import DistilledTally, Recipe, default_recipe, distilled_samples
    from advtool.datasets.representation import representation
    from advtool.datasets.starts import Noise, gather
    from advtool.models.checkpoint import restore

    console.interruptible()
    chosen, reason = devices.choose(device)
    file, data = open_checkpoint(ckpt, data, "distill", arch, normalize)
    source = resolve(data, split, data_root=data_root, download=download)
    target = shard_destination(out, source, force, shard_size, "distilled", resumable=True, resume=resume)
    model = restore(file).to(chosen)
    reader = source.open()
    check_size(model, reader.head.shape or model.spec.shape, source.name, file)
    shape = tuple(model.spec.shape)
    default_steps, default_size = default_recipe(shape, from_ == "noise")
    recipe = Recipe(default_steps if steps is None else steps, size or default_size, tol, layer)
    with representation(model, layer):
        pass  # there is such a layer
    described = {
        "command": "distill",
        "checkpoint": {"sha256": file.sha256, "arch": model.spec.arch},
        "from": from_,
        **recipe.to_json(),
        "seed": seed,
    }
    if dry_run:
        output.print_json({"schema": 1, **described, "source": source.name, "output": target.name})
        return
    head = replace(reader.head, shape=shape)
    if from_ == "noise":
        samples, starts, n = iter(reader), Noise(shape, seed), limit
    else:
        budget = devices.memory_budget(devices.choose("cpu")[0], max_memory)
        gathered = gather(source, head, reader, limit, budget, seed)
        samples, starts, n = gathered.samples, gathered.pool, gathered.n or limit
    head = head.after(
        recorded_command(),
        {**described, "starts": starts.described},
        split=head.split or source.split,
        source=head.source or source.name,
    )
    console.detail(f"device: {reason}")
    console.say(f"{recipe.steps:,} steps of {recipe.step_size:g}; starts: {starts.described}")
    settings, tally = devices.Settings(chosen, batch_size or BATCH_SIZE, seed, amp), DistilledTally()
    todo = target.todo(head, itertools.islice(samples, limit))
    with distributed.joined(chosen.type == "cuda"), console.training_bar(n) as advance:
        made = distilled_samples(
            todo,
            SampleChecker(head),
            model,
            starts,
            recipe,
            settings,
            tally,
            lambda count, distance: advance(count, "distilling", f"relative distance {distance:.3f}"),
        )
        target.write(head, made)
    console.say(f"wrote {tally.describe()} to {target.name}")
