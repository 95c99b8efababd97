"""``advtool relabel``: other labels, the same images."""

from typing import Annotated

import typer

from advtool.cli import console, options, output
from advtool.errors import AdvtoolError, UsageError


def relabel(
    data: options.Data = None,
    split: options.Split = None,
    shift: Annotated[
        int | None, typer.Option("--shift", metavar="K", help="Label y becomes (y + K) mod C. Default: off.")
    ] = None,
    random: Annotated[
        bool,
        typer.Option("--random", help="A class drawn uniformly, by the sample's key and --seed. Default: off."),
    ] = False,
    exclude_true: Annotated[
        bool, typer.Option("--exclude-true", help="With --random, never the sample's own class. Default: off.")
    ] = False,
    map_: Annotated[
        str | None,
        typer.Option(
            "--map",
            metavar="NAME|FILE",
            help="Group classes: restricted-imagenet, or JSON or CSV of old and new classes; others are dropped."
            " Default: off.",
        ),
    ] = None,
    keep: Annotated[
        str | None,
        typer.Option(
            "--keep", metavar="CLASS,…", help="Keep these classes, by name or label, renumbered. Default: off."
        ),
    ] = None,
    predict: Annotated[
        str | None, typer.Option("--predict", metavar="FILE", help="Labels as this checkpoint predicts. Default: off.")
    ] = None,
    arch: options.CkptArch = None,
    normalize: options.Normalize = None,
    classes: Annotated[
        int | None,
        typer.Option("--classes", metavar="C", min=1, help="Number of classes. Default: as the source says."),
    ] = None,
    shard_size: options.ShardSize = None,
    out: options.ShardOut = None,
    force: options.Force = False,
    limit: options.Limit = None,
    data_root: options.DataRoot = None,
    download: options.Download = False,
    batch_size: options.BatchSize = None,
    seed: options.Seed = 0,
    device: options.Device = "auto",
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    dry_run: options.DryRun = False,
) -> None:
    """Give each image of a stream another label; images pass byte for byte.

    Reads the train split of a source that has splits. The label that a sample had first stays in its .json member.
    """
    console.set_level(quiet, verbose)
    asked = [shift is not None, random, map_ is not None, keep is not None, predict is not None]
    if sum(asked) != 1:
        raise UsageError("give one of --shift K, --random, --map NAME, --keep CLASS,… and --predict FILE")
    if exclude_true and not random:
        raise UsageError("--exclude-true goes with --random")

    import itertools
    import warnings

    from advtool.commands.shard_output import recorded_command, shard_destination
    from advtool.data import classes as class_counts
    from advtool.data.sources import resolve
    from advtool.datasets import groupings, rules
    from advtool.datasets.relabelled import RelabelTally
    from advtool.datasets.relabelled import relabel as apply
    from advtool.io.samples import ShardWarning

    console.interruptible()
    # Members of other kinds are passed on, not passed over.
    warnings.simplefilter("ignore", ShardWarning)
    source = resolve(data, split, data_root=data_root, download=download)
    target = shard_destination(out, source, force, shard_size, "relabelled")
    reader = source.open()
    head = class_counts.declared(reader.head, source, limit, classes)
    samples, tally = itertools.islice(iter(reader), limit), RelabelTally()
    if predict:
        names, record, relabelled = _predicted(
            (predict, arch, normalize), head, samples, source, device, batch_size or 512, tally
        )
    else:
        if shift is not None:
            rule = rules.Shift(head.classes, shift)
        elif random:
            if exclude_true and head.num_classes == 1:
                raise UsageError("--exclude-true: there is only one class")
            rule = rules.Random(head.classes, seed, exclude_true)
        else:
            rule = groupings.load(map_, head.classes) if map_ else groupings.keep(keep, head.classes)
        names, record = rule.classes, rule.describe()
        relabelled = apply(samples, head.num_classes, rule, tally)
    record = {"command": "relabel", "classes": list(head.classes), **record}
    if dry_run:
        described = {"source": source.name, "output": target.name, "new_classes": list(names)}
        output.print_json({"schema": 1, **record, **described})
        return
    target.write(
        head.after(
            recorded_command(),
            record,
            classes=names,
            num_classes=len(names),
            split=head.split or source.split,
            source=head.source or source.name,
        ),
        _some(relabelled, source.name),
    )
    console.say(f"wrote {tally.describe()} to {target.name}")


def _predicted(checkpoint, head, samples, source, device, batch_size, tally):
    """(class names, record, stream) of labels that a checkpoint predicts."""
    from dataclasses import replace

    from advtool import device as devices
    from advtool.commands.checkpoints import check_size, open_checkpoint
    from advtool.data.arrays import SampleChecker
    from advtool.datasets.predicted import predicted_samples
    from advtool.models.checkpoint import restore

    chosen, reason = devices.choose(device)
    path, arch, normalize = checkpoint
    file, _ = open_checkpoint(path, source.name, "relabel --predict", arch, normalize)
    model = restore(file).to(chosen)
    shape = head.shape or tuple(model.spec.shape)
    check_size(model, shape, source.name, file)
    console.detail(f"device: {reason}")
    settings = devices.Settings(chosen, batch_size)
    check = SampleChecker(replace(head, shape=shape))
    record = {"rule": "predict", "checkpoint": {"sha256": file.sha256, "arch": model.spec.arch}}
    return model.spec.classes, record, predicted_samples(samples, check, model, settings, tally)


def _some(samples, name: str):
    """The samples; an error if there is none."""
    empty = True
    for sample in samples:
        empty = False
        yield sample
    if empty:
        raise AdvtoolError(f"{name}: no sample is left")
