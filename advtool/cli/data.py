"""``advtool data``: list, inspect, verify, and convert to shards."""

from typing import Annotated

import typer

from advtool.cli import console, options, output
from advtool.errors import AdvtoolError, UsageError
from advtool.io.shape import shape_text


def data(
    source: Annotated[str | None, typer.Argument(metavar="[SOURCE]", help="The same as --data.")] = None,
    data_: options.Data = None,
    split: options.Split = None,
    list_: Annotated[bool, typer.Option("--list", help="List the named datasets and stop. Default: off.")] = False,
    info: Annotated[bool, typer.Option("--info", help="Count and describe, convert nothing. Default: off.")] = False,
    verify: Annotated[
        bool,
        typer.Option("--verify", help="Decode all, report the first fault, convert nothing. Default: off."),
    ] = False,
    size: Annotated[
        int | None,
        typer.Option(
            "--size",
            metavar="PIXELS",
            min=1,
            help="Scale the shorter side and crop the centre square. Default: images pass byte for byte.",
        ),
    ] = None,
    shard_size: options.ShardSize = None,
    out: options.ShardOut = None,
    force: options.Force = False,
    limit: options.Limit = None,
    data_root: options.DataRoot = None,
    download: options.Download = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    dry_run: options.DryRun = False,
) -> None:
    """Write any source of images as WebDataset shards, or say what is in it.

    Sources: a named dataset, shards, class folders, or a stream: advtool data cifar10 --split train -o shards/
    """
    console.set_level(quiet, verbose)
    if source is not None and data_ is not None:
        raise UsageError("SOURCE and --data name the same thing; give one of them")
    if sum((list_, info, verify)) > 1:
        raise UsageError("--list, --info and --verify exclude one another")

    from advtool.data.sources import resolve

    console.interruptible()
    if list_:
        return _list(data_root, json)

    def resolved(part: str | None):
        return resolve(source or data_, part, data_root=data_root, download=download)

    found = resolved(split)
    if info:
        return _info([found] if split else [resolved(part) for part in found.splits] or [found], limit, json)
    if verify:
        return _verify([found] if split else [resolved(part) for part in found.splits] or [found], limit, json)
    _convert(found, out, force, limit, size, shard_size, dry_run)


def _convert(source, out, force, limit, size, shard_size, dry_run) -> None:
    from advtool.commands.shard_output import recorded_command, shard_destination
    from advtool.data.convert import convert

    target = shard_destination(out, source, force, shard_size)
    conversion = convert(source, recorded_command(), limit, size)
    if dry_run:
        head = conversion.head
        shown = {"split": head.split, "shape": head.shape, "num_classes": head.num_classes}
        output.print_json({"schema": 1, "command": "data", "source": source.name, "output": target.name, **shown})
        return
    count = target.write(conversion.head, conversion.samples)
    if target.name != "stdout":
        console.say(f"wrote {count:,} samples to {target.name}")


def _list(data_root, json: bool) -> None:
    from advtool.data import named

    entries = [{"name": "digits", "shape": [1, 8, 8], "train": 1437, "test": 360, "on_disk": True}]
    for entry in named.describe():
        paths = [
            named.resolve(entry["name"], part, named.root(data_root), False).expected_path
            for part in named.splits_of(entry["name"])
        ]
        entries.append({**entry, "on_disk": all(path.exists() for path in paths)})
    if output.wants_json(json):
        output.print_json(
            {"schema": 1, "command": "data", "data_root": str(named.root(data_root)), "datasets": entries}
        )
        return
    rows = [
        [e["name"], shape_text(e["shape"]), f"{e['train']:,}", f"{e['test']:,}", "yes" if e["on_disk"] else "no"]
        for e in entries
    ]
    console.show_table(
        f"named datasets under {named.root(data_root)}", ["name", "shape", "train", "test", "on disk"], rows
    )


def _info(parts, limit: int | None, json: bool) -> None:
    from advtool.data.inspect import summarize

    summaries = [summarize(part, limit) for part in parts]
    if output.wants_json(json):
        output.print_json({"schema": 1, "command": "data", "parts": [summary.to_json() for summary in summaries]})
        return
    rows = [
        [
            summary.split or "(all)",
            f"{summary.n:,}",
            shape_text(summary.shape) if summary.shape else "differing",
            str(summary.num_classes),
            f"{min(summary.class_counts):,}–{max(summary.class_counts):,}",
            " ".join(summary.formats),
        ]
        for summary in summaries
    ]
    console.show_table(parts[0].name, ["split", "images", "shape", "classes", "per class", "format"], rows)
    first = summaries[0]
    shown = ", ".join(first.classes[:12]) + (", …" if len(first.classes) > 12 else "")
    print(f"classes: {shown}")
    if first.origin:
        print(f"origin:  {first.origin}")
    for command in first.history:
        print(f"made by: {command}")


def _verify(parts, limit: int | None, json: bool) -> None:
    from advtool.data.inspect import verify

    results = [(part, verify(part, limit)) for part in parts]
    if output.wants_json(json):
        described = [{"split": part.split, "good": result.good, "fault": result.fault} for part, result in results]
        output.print_json({"schema": 1, "command": "data", "source": parts[0].name, "parts": described})
    else:
        rows = [[part.split or "(all)", f"{result.good:,}", result.fault or "none"] for part, result in results]
        console.show_table(parts[0].name, ["split", "good samples", "first fault"], rows)
    faults = [f"{result.fault} ({result.good} good samples before it)" for _, result in results if result.fault]
    if faults:
        raise AdvtoolError(faults[0])
