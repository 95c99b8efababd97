"""What ``advtool explain`` does once its options are parsed: read, explain, write, report."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from advtool import device as devices
from advtool.cli import bars, console, output
from advtool.cli.explain import Explain
from advtool.cli.outgoing import ShardOutput
from advtool.commands.checkpoints import applied, check_size, fit, open_checkpoint, preprocessing_of
from advtool.commands.shard_output import ShardDestination, shard_destination
from advtool.data.arrays import Images, load
from advtool.data.sources import Source
from advtool.data.subset import subset
from advtool.errors import UsageError
from advtool.explain.attribution_shards import attribution_samples
from advtool.explain.methods import Method, chosen, taken
from advtool.explain.results import Result, Row
from advtool.explain.run import default_batch_size, explained
from advtool.explain.sample_pictures import samples
from advtool.explain.settings import Explanation
from advtool.io.atomic import is_special
from advtool.io.checkpoints import CheckpointFile
from advtool.io.figures import figure_format, suffix
from advtool.models.checkpoint import restore
from advtool.models.classifier import Classifier
from advtool.models.smoothed import Smoothed
from advtool.preprocessing import Preprocessing

SMOOTHED_BY = 32
"""Draws of noise, whose mean probabilities are explained."""


@dataclass(frozen=True)
class Places:
    """Where things go: picture, shards, and the report where stdout is left for it."""

    picture: output.Destination | None
    picture_format: str
    shards: ShardDestination | None
    report: bool


def run(options: Explain) -> None:
    """Compute, then write picture, shards and report."""
    methods = chosen(options.method)
    _check_data(options, methods)
    file_format = _picture_format(options.out, methods[0])
    device, reason = devices.choose(options.device)
    files, sources = _inputs(options, methods)
    options.refuse_keys(*sources)
    places = _places(options, sources[0], file_format)
    models = [restore(file).to(device) for file in files]
    options = replace(options, split=sources[0].split, limit=options.limit or methods[0].limit)
    preprocessing = _preprocessing(options, files, models)
    if options.dry_run:
        options = options.decided(applied(sources[0], preprocessing))
        output.print_json(_resolved(options, files, models, sources, device, places))
        return
    console.detail(f"device: {reason}")
    if not files:
        result = samples(
            sources, options.limit, options.seed if options.random else None, options.names, options.columns
        )
        described: dict = {"sources": [{"source": source.name, "split": source.split} for source in sources]}
    else:
        images = _images(options, sources[0], preprocessing)
        for file, model in zip(files, models, strict=True):
            check_size(model, images.head.shape, images.name, file, "--size")
        models = [fit(model, images.head, images.name, file) for file, model in zip(files, models, strict=True)]
        result = _explained(options, files, models, images, device)
        data = {"source": images.name, "split": images.split, "n": len(images), "classes": images.head.num_classes}
        described = {"data": data | {"preprocessing": images.preprocessing and images.preprocessing.to_json()}}
        if places.shards:
            head = images.head.after(options.history())
            places.shards.write(head, attribution_samples(images, result.attributions))
            if places.shards.name != "stdout":
                console.say(f"wrote attributions of {len(images):,} images to {places.shards.name}")
    _write(options, result, places, described)


def _explained(
    options: Explain,
    files: Sequence[CheckpointFile],
    models: Sequence[Classifier],
    images: Images,
    device: torch.device,
) -> Result:
    rows = []
    for name, file, model in zip(_names(options, files), files, models, strict=True):
        checkpoint = {"path": file.path, "sha256": file.sha256, "arch": model.spec.arch}
        used = _smoothed(model, options, device) if options.smooth else model
        rows.append(Row(name, used, model.spec.classes, {"checkpoint": checkpoint}, file.path))
    shape = images.head.shape
    settings = devices.Settings(device, options.batch_size or default_batch_size(shape), options.seed)
    passes = len(models) * len(options.method)
    with bars.bar(f"explaining ({', '.join(options.method)})", len(images) * passes) as progress:
        return explained(_explanation(options, shape), rows, images, settings, progress)


def _smoothed(model: Classifier, options: Explain, device: torch.device) -> Smoothed:
    """The model smoothed as gradients can follow it."""
    return Smoothed(model, options.smooth, model.spec.shape, SMOOTHED_BY, options.seed, device).eval()


def _resolved(
    options: Explain,
    files: Sequence[CheckpointFile],
    models: Sequence[Classifier],
    sources: Sequence[Source],
    device: torch.device,
    places: Places,
) -> dict:
    """What a dry run shows: everything as it would be used; null is no limit, or as many steps as it needs."""
    resolved: dict = {"schema": 1, "command": "explain", "methods": list(options.method)}
    options = replace(options, data=tuple(source.name for source in sources), device=str(device))
    if models:
        known = sources[0].open().head.shape if sources[0].repeatable and not options.size else None
        shape = known or models[0].spec.shape
        explanation = _explanation(options, shape)
        names, batch_size = tuple(_names(options, files)), options.batch_size or default_batch_size(shape)
        options = replace(options, names=names, batch_size=batch_size, **explanation.decided())
        resolved |= {"checkpoints": [file.path for file in files], "settings": explanation.to_json()}
    return resolved | {
        **options.resolved(),
        "sources": [source.name for source in sources],
        "split": sources[0].split,
        "picture": places.picture and places.picture.name,
        "shards": places.shards and places.shards.name,
    }


def _check_data(options: Explain, methods: Sequence[Method]) -> None:
    """Refuse more sources than the method reads, and stdin twice."""
    if len(options.data) > 1 and "ckpt" in taken(methods):
        raise UsageError("several are for --method samples", "data")
    if options.data.count("-") > 1:
        raise UsageError("stdin can be read once", "data", "-")


def _explanation(options: Explain, shape: tuple[int, int, int]) -> Explanation:
    """The settings for images of that shape."""
    names = ("of", "baseline", "variance", "eps", "target", "steps", "step_size", "points", "columns", "seed")
    return Explanation.resolve(
        options.method, shape, norm=options.adv, **{name: getattr(options, name) for name in names}
    )


def _inputs(options: Explain, methods: Sequence[Method]) -> tuple[list[CheckpointFile], list[Source]]:
    """The checkpoints, and where the images are."""
    files: list[CheckpointFile] = []
    data = options.data[0] if options.data else None
    if "ckpt" not in taken(methods):
        return files, [_source(options, name, methods) for name in options.data or (None,)]
    for name in options.ckpt or (None,):
        file, data = open_checkpoint(name, data, options)
        files.append(file)
    return files, [_source(options, data, methods)]


def _write(options: Explain, result: Result, places: Places, described: dict) -> None:
    if places.picture:
        places.picture.write(result.picture(places.picture_format))
        if places.picture.path:
            console.say(f"wrote {places.picture.name}")
    if not places.report:
        return
    if output.wants_json(options.json):
        where = {"picture": places.picture.name} if places.picture else {}
        common = {"schema": 1, "command": "explain", "method": ",".join(options.method), **described, **where}
        output.print_json({**common, **result.report, "seed": options.seed})
    elif result.table:
        console.show_table(*result.table)


def _places(options: Explain, source: Source, file_format: str) -> Places:
    picture, shards = None, options.shards
    if options.out is not None or not (options.json or shards):
        stem = Path(source.name.rstrip("/")).name.split(".")[0] or "data"
        stem = "-".join([stem, *([source.split] if source.split else []), *options.method])
        picture = output.destination(options.out, stem, ".png", options.force)
    taken = [
        *(["the picture"] if picture and picture.path is None else []),
        *(["--shards -"] if shards == "-" else []),
        *(["--json"] if options.json else []),
    ]
    if len(taken) > 1:
        raise UsageError(f"stdout can carry only one of {' and '.join(taken)}; name a file for the other")
    wanted = ShardOutput(out=shards, force=options.force)
    target = shard_destination(wanted, source, parameter="shards") if shards else None
    return Places(picture, file_format, target, options.json or not taken)


def _picture_format(out: str | None, method: Method) -> str:
    """As its name says, with a suffix in any case; PNG where it has none: for a pipe, or a file that is made up."""
    if out is None or out == "-" or (is_special(out) and not suffix(out)):
        return "png"
    return figure_format(out, "out", ("gif",) if method.animated else ())


def _source(options: Explain, data: str | None, methods: Sequence[Method]) -> Source:
    options.refuse_elsewhere(options.data)
    return options.resolve(data, options.split, methods[0].split)


def _images(options: Explain, source: Source, preprocessing: Preprocessing | None) -> Images:
    if options.limit is None or options.random:
        images = load(source, preprocessing=preprocessing)
        return images if options.limit is None else subset(images, options.limit, options.seed)
    return load(source, options.limit, preprocessing=preprocessing)


def _preprocessing(
    options: Explain, files: Sequence[CheckpointFile], models: Sequence[Classifier]
) -> Preprocessing | None:
    """How images are resized for all models."""
    said = {options.preprocessing(preprocessing_of(file, model)) for file, model in zip(files, models, strict=True)}
    if len(said) > 1:
        raise UsageError("needed, since the checkpoints want other sizes", "size")
    return said.pop() if said else None


def _names(options: Explain, files: Sequence[CheckpointFile]) -> list[str]:
    """A label for each checkpoint: as asked, else its file name, or path where two have the same name."""
    if options.names:
        if len(options.names) != len(files):
            raise UsageError(f"{len(options.names)} for {len(files)} checkpoints", "names")
        return list(options.names)
    stems = [Path(file.path).name.removesuffix(".safetensors") for file in files]
    return stems if len(set(stems)) == len(stems) else [file.path for file in files]
