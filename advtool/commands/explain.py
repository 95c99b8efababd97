"""What ``advtool explain`` does once its options are parsed: read, explain, write, report."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from advtool import device as devices
from advtool.cli import console, output
from advtool.commands.checkpoints import check_fit, open_checkpoint
from advtool.commands.shard_output import ShardDestination, recorded_command, shard_destination
from advtool.data import named
from advtool.data.arrays import Images, load
from advtool.data.sources import Source, resolve
from advtool.data.subset import subset
from advtool.errors import UsageError
from advtool.explain import drawing
from advtool.explain.attribution_shards import attribution_samples
from advtool.explain.methods import ATTRIBUTIONS, Method, chosen, taken
from advtool.explain.results import Result, Row
from advtool.explain.run import default_batch_size, explained
from advtool.explain.sample_pictures import samples
from advtool.explain.settings import Explanation
from advtool.io.atomic import is_special
from advtool.io.checkpoints import CheckpointFile
from advtool.models.checkpoint import restore
from advtool.models.classifier import Classifier


@dataclass(frozen=True)
class ExplainPlan:
    """The options of ``advtool explain``, parsed."""

    checkpoints: tuple[str, ...]
    arch: str | None
    normalize: str | None
    data: tuple[str, ...]
    split: str | None
    data_root: Path | None
    download: bool
    methods: tuple[str, ...]
    of: str | None
    baseline: float
    variance: float
    norm: str
    eps: float | None
    target: str
    steps: int | None
    step_size: float | None
    points: int
    limit: int | None
    random: bool
    columns: int
    names: tuple[str, ...]
    batch_size: int | None
    seed: int
    device: str

    @property
    def found(self) -> tuple[Method, ...]:
        return chosen(self.methods)

    @property
    def n(self) -> int | None:
        """How many images are used; None for all."""
        return self.limit or self.found[0].limit

    def explanation(self, shape: tuple[int, int, int]) -> Explanation:
        """For images of that shape."""
        return Explanation.resolve(
            self.methods,
            shape,
            of=self.of,
            baseline=self.baseline,
            variance=self.variance,
            norm=self.norm,
            eps=self.eps,
            target=self.target,
            steps=self.steps,
            step_size=self.step_size,
            points=self.points,
            columns=self.columns,
            seed=self.seed,
        )

    def check(self, shards: str | None) -> None:
        """Refuse what does not go together."""
        method, options = self.methods[0], taken(self.found)
        if shards and "shards" not in options:
            hint = " (advtool attack writes adversarial images)" if method == "large-eps" else ""
            raise UsageError(f"--shards is for {', '.join(ATTRIBUTIONS)}{hint}")
        if self.of and "of" not in options:
            raise UsageError(f"--of is for {', '.join(ATTRIBUTIONS)}")
        if self.checkpoints and "ckpt" not in options:
            raise UsageError(f"--method {method} takes no --ckpt, but --data for each row")
        if len(self.data) > 1 and "ckpt" in options:
            raise UsageError("several --data are for --method samples")
        if self.data.count("-") > 1:
            raise UsageError("--data -: stdin can be read once")


@dataclass(frozen=True)
class Places:
    """Where things go: picture, shards, and the report where stdout is left for it."""

    picture: output.Destination | None
    picture_format: str
    shards: ShardDestination | None
    report: bool


def run(plan: ExplainPlan, out: str | None, shards: str | None, force: bool, json: bool, dry_run: bool) -> None:
    """Compute, then write picture, shards and report."""
    plan.check(shards)
    file_format = _picture_format(out, plan.found[0])
    console.interruptible()
    device, reason = devices.choose(plan.device if "device" in taken(plan.found) else "cpu")
    files, sources = _inputs(plan)
    places = _places(plan, sources[0], out, file_format, shards, force, json)
    models = [restore(file).to(device) for file in files]
    if dry_run:
        output.print_json(_resolved(plan, files, models, sources, device, places))
        return
    console.detail(f"device: {reason}")
    if not files:
        result = samples(sources, plan.n, plan.seed if plan.random else None, plan.names, plan.columns)
        described: dict = {"sources": [{"source": source.name, "split": source.split} for source in sources]}
    else:
        images = _images(plan, sources[0])
        for file, model in zip(files, models, strict=True):
            check_fit(model, images.head, images.name, file)
        result = _explained(plan, files, models, images, device)
        data = {"source": images.name, "split": images.split, "n": len(images), "classes": images.head.num_classes}
        described = {"data": data}
        if places.shards:
            head = images.head.after(recorded_command())
            places.shards.write(head, attribution_samples(images, result.attributions))
            if places.shards.name != "stdout":
                console.say(f"wrote attributions of {len(images):,} images to {places.shards.name}")
    _write(plan, result, places, described, json)


def _explained(
    plan: ExplainPlan,
    files: Sequence[CheckpointFile],
    models: Sequence[Classifier],
    images: Images,
    device: torch.device,
) -> Result:
    rows = []
    for name, file, model in zip(_names(plan, files), files, models, strict=True):
        checkpoint = {"path": file.path, "sha256": file.sha256, "arch": model.spec.arch}
        rows.append(Row(name, model, model.spec.classes, {"checkpoint": checkpoint}, file.path))
    shape = images.head.shape
    settings = devices.Settings(device, plan.batch_size or default_batch_size(shape), plan.seed)
    passes = len(models) * len(plan.methods)
    with console.bar(f"explaining ({', '.join(plan.methods)})", len(images) * passes) as progress:
        return explained(plan.explanation(shape), rows, images, settings, progress)


def _resolved(
    plan: ExplainPlan,
    files: Sequence[CheckpointFile],
    models: Sequence[Classifier],
    sources: Sequence[Source],
    device: torch.device,
    places: Places,
) -> dict:
    """What a dry run shows: everything as it would be used; null is no limit, or as many steps as it needs."""
    resolved = {"schema": 1, "command": "explain", "methods": list(plan.methods)}
    if models:
        known = sources[0].open().head.shape if sources[0].repeatable else None
        shape = known or models[0].spec.shape
        resolved |= {
            "checkpoints": [file.path for file in files],
            "names": _names(plan, files),
            "settings": plan.explanation(shape).to_json(),
            "batch_size": plan.batch_size or default_batch_size(shape),
            "device": str(device),
        }
    return resolved | {
        "sources": [source.name for source in sources],
        "split": sources[0].split,
        "data_root": str(named.root(plan.data_root)),
        "download": plan.download,
        "n": plan.n,
        "random": plan.random,
        "columns": plan.columns,
        "seed": plan.seed,
        "picture": places.picture and places.picture.name,
        "shards": places.shards and places.shards.name,
    }


def _inputs(plan: ExplainPlan) -> tuple[list[CheckpointFile], list[Source]]:
    """The checkpoints, and where the images are."""
    files: list[CheckpointFile] = []
    data = plan.data[0] if plan.data else None
    if "ckpt" not in taken(plan.found):
        return files, [_source(plan, name) for name in plan.data or (None,)]
    for name in plan.checkpoints or (None,):
        file, data = open_checkpoint(name, data, "explain", plan.arch, plan.normalize)
        files.append(file)
    return files, [_source(plan, data)]


def _write(plan: ExplainPlan, result: Result, places: Places, described: dict, json: bool) -> None:
    if places.picture:
        places.picture.write(result.picture(places.picture_format))
        if places.picture.path:
            console.say(f"wrote {places.picture.name}")
    if not places.report:
        return
    if output.wants_json(json):
        where = {"picture": places.picture.name} if places.picture else {}
        common = {"schema": 1, "command": "explain", "method": ",".join(plan.methods), **described, **where}
        output.print_json({**common, **result.report, "seed": plan.seed})
    elif result.table:
        console.show_table(*result.table)


def _places(
    plan: ExplainPlan, source: Source, out: str | None, file_format: str, shards: str | None, force: bool, json: bool
) -> Places:
    picture = None
    if out is not None or not (json or shards):
        stem = Path(source.name.rstrip("/")).name.split(".")[0] or "data"
        stem = "-".join([stem, *([source.split] if source.split else []), *plan.methods])
        picture = output.destination(out, stem, ".png", force)
    taken = [
        *(["the picture"] if picture and picture.path is None else []),
        *(["--shards -"] if shards == "-" else []),
        *(["--json"] if json else []),
    ]
    if len(taken) > 1:
        raise UsageError(f"stdout can carry only one of {' and '.join(taken)}; name a file for the other")
    target = shard_destination(shards, source, force, None) if shards else None
    return Places(picture, file_format, target, json or not taken)


def _picture_format(out: str | None, method: Method) -> str:
    formats = (*drawing.FORMATS, *(["gif"] if method.animated else []))
    suffix = Path(out or "").suffix.lstrip(".").lower()
    if suffix in formats:
        return suffix
    if out is None or out == "-" or is_special(out):
        return "png"
    raise UsageError(f"-o {out}: must end in .{', .'.join(formats)}")


def _source(plan: ExplainPlan, data: str | None) -> Source:
    default = plan.found[0].split
    return resolve(data, plan.split, default_split=default, data_root=plan.data_root, download=plan.download)


def _images(plan: ExplainPlan, source: Source) -> Images:
    if plan.n is None:
        return load(source)
    return subset(load(source), plan.n, plan.seed) if plan.random else load(source, plan.n)


def _names(plan: ExplainPlan, files: Sequence[CheckpointFile]) -> list[str]:
    """A label for each checkpoint: as asked, else its file name, or path where two have the same name."""
    if plan.names:
        if len(plan.names) != len(files):
            raise UsageError(f"--names: {len(plan.names)} for {len(files)} checkpoints")
        return list(plan.names)
    stems = [Path(file.path).name.removesuffix(".safetensors") for file in files]
    return stems if len(set(stems)) == len(stems) else [file.path for file in files]
