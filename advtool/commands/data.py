"""What ``advtool data`` does once its options are read."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from advtool.cli import console, output
from advtool.cli.data import Data
from advtool.commands.shard_output import shard_destination
from advtool.data import inspect, named, patterns
from advtool.data.coloured import Coloured
from advtool.data.convert import convert
from advtool.data.sources import Source
from advtool.errors import AdvtoolError
from advtool.io.shape import shape_text


def run(options: Data) -> None:
    """List, describe, verify or convert."""
    options = options.named()
    if options.list:
        return _list(options)
    if options.info:
        return _info(_parts(options), options)
    if options.verify:
        return _verify(_parts(options), options)
    return _convert(options)


def _parts(options: Data) -> list[Source]:
    """The part asked for, or every part of a source that has parts."""
    source = options.open()
    return [source] if options.split else [options.resolve(options.data, part) for part in source.splits] or [source]


def _convert(options: Data) -> None:
    source = options.open()
    if options.colour:
        source = Coloured(source)
    target = shard_destination(options, source)
    preprocessing = options.preprocessing()
    conversion = convert(source, options.history(), options.limit, preprocessing)
    if options.dry_run:
        head = conversion.head
        shown = {"split": head.split, "shape": head.shape, "num_classes": head.num_classes}
        resolved = replace(options, data=None if options.source else options.data or source.name, split=source.split)
        values = resolved.decided(preprocessing).resolved()
        described = {"source": source.name, "output": target.name, **shown, **values}
        output.print_json({"schema": 1, "command": "data", **described})
        return
    count = target.write(conversion.head, conversion.samples)
    if target.name != "stdout":
        console.say(f"wrote {count:,} samples to {target.name}")


def _list(options: Data) -> None:
    root = named.root(options.data_root)
    embedded = {"name": "digits", "shape": [1, 8, 8], "train": 1437, "test": 360, "on_disk": True}
    drawn = {"name": patterns.NAME, "shape": list(patterns.SHAPE), **patterns.SIZES, "on_disk": True}
    entries: list[dict[str, Any]] = [embedded, drawn]
    for entry in named.describe():
        paths = [
            named.resolve(entry["name"], part, root, False).expected_path for part in named.splits_of(entry["name"])
        ]
        entries.append({**entry, "on_disk": all(path.exists() for path in paths)})
    if output.wants_json(options.json):
        output.print_json({"schema": 1, "command": "data", "data_root": str(root), "datasets": entries})
        return
    rows = [
        [e["name"], shape_text(e["shape"]), f"{e['train']:,}", f"{e['test']:,}", "yes" if e["on_disk"] else "no"]
        for e in entries
    ]
    console.show_table(f"named datasets under {root}", ["name", "shape", "train", "test", "on disk"], rows)


def _info(parts: Sequence[Source], options: Data) -> None:
    summaries = [inspect.summarize(part, options.limit) for part in parts]
    if output.wants_json(options.json):
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
    console.line(f"classes: {shown}")
    if first.layout:
        console.line(f"layout:  {first.layout}")
    if first.origin:
        console.line(f"origin:  {first.origin}")
    for command in first.history:
        console.line(f"made by: {command}")
    for summary in summaries:
        for name, kept in (summary.patterns or {}).items():
            share = f"of the label in {100 * kept['agrees']:.1f}% of the images, {kept['amount']:.2f} of it on average"
            console.line(f"{name} pattern{f' ({summary.split})' if summary.split else ''}: {share}")


def _verify(parts: Sequence[Source], options: Data) -> None:
    results = [(part, inspect.verify(part, options.limit)) for part in parts]
    if output.wants_json(options.json):
        described = [{"split": part.split, "good": result.good, "fault": result.fault} for part, result in results]
        output.print_json({"schema": 1, "command": "data", "source": parts[0].name, "parts": described})
    else:
        rows = [[part.split or "(all)", f"{result.good:,}", result.fault or "none"] for part, result in results]
        console.show_table(parts[0].name, ["split", "good samples", "first fault"], rows)
    faults = [f"{result.fault} ({result.good} good samples before it)" for _, result in results if result.fault]
    if faults:
        raise AdvtoolError(faults[0])
