"""What ``advtool explain`` does once its options are parsed."""

from dataclasses import asdict, dataclass
from pathlib import Path

from advtool import device as devices
from advtool.cli import console, output
from advtool.commands.checkpoints import check_fit, open_checkpoint
from advtool.commands.shard_output import ShardDestination, recorded_command, shard_destination
from advtool.data.arrays import Images, load
from advtool.data.sources import Source, resolve
from advtool.data.subset import subset
from advtool.errors import UsageError, unknown
from advtool.explain import drawing, pictures
from advtool.explain.attribution_shards import attribution_samples
from advtool.explain.pictures import ATTRIBUTIONS, Made, Row
from advtool.io.atomic import is_special
from advtool.models.checkpoint import restore

METHODS = (*ATTRIBUTIONS, "large-eps", "interpolate", "weights", "samples")
_DEFAULT_LIMIT = {"interpolate": 4, "weights": None}
_PIXELS_AT_A_TIME, _MOST_AT_A_TIME = 2**22, 512


@dataclass(frozen=True)
class Plan:
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
    def method(self) -> str:
        """The method that decides the layout; that of the list where it is a list."""
        return self.methods[0]

    @property
    def is_attribution(self) -> bool:
        return self.method in ATTRIBUTIONS

    @property
    def n(self) -> int | None:
        return self.limit or _DEFAULT_LIMIT.get(self.method, 10)

    def check(self, shards: str | None) -> None:
        """Refuse what does not go together."""
        for name in self.methods:
            if name not in METHODS:
                raise unknown("--method", name, METHODS)
        if len(self.methods) > 1 and not set(self.methods) <= set(ATTRIBUTIONS):
            raise UsageError(f"--method {','.join(self.methods)}: a list can have only {', '.join(ATTRIBUTIONS)}")
        if shards and not self.is_attribution:
            hint = " (advtool attack writes adversarial images)" if self.method == "large-eps" else ""
            raise UsageError(f"--shards is for {', '.join(ATTRIBUTIONS)}{hint}")
        if self.of and not self.is_attribution:
            raise UsageError(f"--of is for {', '.join(ATTRIBUTIONS)}")
        if self.method == "samples" and self.checkpoints:
            raise UsageError("--method samples takes no --ckpt, but --data for each row")
        if self.method != "samples" and len(self.data) > 1:
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


def run(plan: Plan, out: str | None, shards: str | None, force: bool, json: bool, dry_run: bool) -> None:
    """Compute, then write picture, shards and report."""
    plan.check(shards)
    file_format = _picture_format(out, plan.method)
    console.interruptible()
    device, reason = devices.choose(plan.device)
    files, data = [], plan.data[0] if plan.data else None
    for name in plan.checkpoints or (None,) if plan.method != "samples" else ():
        file, data = open_checkpoint(name, data, "explain", plan.arch, plan.normalize)
        files.append(file)
    sources = [_source(plan, name) for name in (plan.data if plan.method == "samples" and plan.data else (data,))]
    places = _places(plan, sources[0], out, file_format, shards, force, json)
    models = [restore(file).to(device) for file in files]
    if dry_run:
        shown = {**asdict(plan), "data_root": str(plan.data_root), "device": str(device), "n": plan.n}
        shown |= {"sources": [source.name for source in sources], "split": sources[0].split}
        shown |= {"picture": places.picture and places.picture.name, "shards": places.shards and places.shards.name}
        output.print_json({"schema": 1, "command": "explain", **shown})
        return
    console.detail(f"device: {reason}")
    if plan.method == "samples":
        made = pictures.samples(plan, sources)
        described = {"sources": [{"source": source.name, "split": source.split} for source in sources]}
    else:
        images = _images(plan, sources[0])
        for file, model in zip(files, models, strict=True):
            check_fit(model, images.head, images.name, file)
        batch = min(_MOST_AT_A_TIME, max(1, _PIXELS_AT_A_TIME // images.pixels[0].size))
        settings = devices.Settings(device, plan.batch_size or batch, plan.seed)
        rows = [Row(name, *pair) for name, *pair in zip(_names(plan, files), files, models, strict=True)]
        made = pictures.PICTURES[plan.method](plan, rows, images, settings)
        described = {"data": {"source": images.name, "split": images.split, "n": len(images)}}
        described["data"]["classes"] = images.head.num_classes
        if places.shards:
            head = images.head.after(recorded_command())
            places.shards.write(head, attribution_samples(images, made.attributions))
            if places.shards.name != "stdout":
                console.say(f"wrote attributions of {len(images):,} images to {places.shards.name}")
    _write(plan, made, places, described, json)


def _write(plan: Plan, made: Made, places: Places, described: dict, json: bool) -> None:
    if places.picture:
        gif = places.picture_format == "gif"
        places.picture.write(
            drawing.to_gif(made.frames()) if gif else drawing.to_bytes(made.grid(), places.picture_format)
        )
        if places.picture.path:
            console.say(f"wrote {places.picture.name}")
    if not places.report:
        return
    if output.wants_json(json):
        where = {"picture": places.picture.name} if places.picture else {}
        common = {"schema": 1, "command": "explain", "method": ",".join(plan.methods), **described, **where}
        output.print_json({**common, **made.report, "seed": plan.seed})
    elif made.table:
        console.show_table(*made.table)


def _places(
    plan: Plan, source: Source, out: str | None, file_format: str, shards: str | None, force: bool, json: bool
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


def _picture_format(out: str | None, method: str) -> str:
    formats = (*drawing.FORMATS, *(["gif"] if method == "interpolate" else []))
    suffix = Path(out or "").suffix.lstrip(".").lower()
    if suffix in formats:
        return suffix
    if out is None or out == "-" or is_special(out):
        return "png"
    raise UsageError(f"-o {out}: must end in .{', .'.join(formats)}")


def _source(plan: Plan, data: str | None) -> Source:
    default = "train" if plan.method in ("weights", "samples") else "test"
    return resolve(data, plan.split, default_split=default, data_root=plan.data_root, download=plan.download)


def _images(plan: Plan, source: Source) -> Images:
    if plan.n is None:
        return load(source)
    return subset(load(source), plan.n, plan.seed) if plan.random else load(source, plan.n)


def _names(plan: Plan, files: list) -> list[str]:
    """A label for each checkpoint: as asked, else its file name, or path where two have the same name."""
    if plan.names:
        if len(plan.names) != len(files):
            raise UsageError(f"--names: {len(plan.names)} for {len(files)} checkpoints")
        return list(plan.names)
    stems = [Path(file.path).name.removesuffix(".safetensors") for file in files]
    return stems if len(set(stems)) == len(stems) else [file.path for file in files]
