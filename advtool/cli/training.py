"""What ``advtool train`` does once its options are parsed: train, evaluate, write."""

from dataclasses import dataclass
from pathlib import Path

from advtool import device as devices
from advtool.cli import console, output
from advtool.cli.conversion import convert
from advtool.cli.report import show
from advtool.cli.reporter import Reporter
from advtool.data.arrays import load
from advtool.data.sources import Source, resolve
from advtool.errors import UsageError
from advtool.io import streams
from advtool.io.checkpoints import CheckpointFile
from advtool.models import importing
from advtool.training.run import TrainingRun, Wishes
from advtool.training.state import State, StateFile


@dataclass(frozen=True)
class Place:
    """Where a run reads and writes, and on what it computes."""

    data: str | None
    split: str | None
    data_root: Path | None
    download: bool
    init: str | None
    normalize: str | None
    device: str
    out: str | None
    force: bool
    resume: bool
    test_limit: int
    json: bool
    dry_run: bool


def train(wishes: Wishes, place: Place) -> None:
    """Check everything that can be checked, then train, evaluate, and write the checkpoint."""
    console.interruptible()
    wishes.check()
    device, reason = devices.choose(place.device)
    init = _init(place, wishes)
    if init and "imported" in init.meta and wishes.epochs == 0 and place.data is None:
        stem = f"{Path(init.path).stem}-{wishes.arch}"
        return convert(init, _destination(stem, place), place.dry_run, place.json)
    source = _source(place, place.split)
    destination = _destination(_stem(source, wishes), place)
    run = TrainingRun(source, wishes, device, init)
    if not source.repeatable:
        console.say("reading images from stdin")
    if place.dry_run:
        output.print_json({"schema": 1, "command": "train", **run.resolved(), "output": destination.name})
        return
    state_file = StateFile(destination.path if destination.is_regular else None, run.resolved())
    start = state_file.read() if place.resume else None
    if place.resume and start is None and destination.path.exists():
        console.say(f"{destination.name} is complete, nothing to resume")
        return
    _announce(run, reason, start)
    try:
        with Reporter(run.config.epochs, run.data.n) as reporter:
            run.fit(reporter, state_file.write, start)
    except KeyboardInterrupt:
        _keep_last_epoch(run, destination)
        raise
    metrics = _test(run, place)
    destination.write(run.to_bytes(metrics))
    state_file.remove()
    _report(run, destination, metrics, place.json)


def _source(place: Place, split: str | None) -> Source:
    data = place.data
    if place.init == "-":
        if data == "-":
            raise UsageError("--init - and --data -: stdin can carry only one of them")
        data = data or "digits"
    return resolve(data, split, data_root=place.data_root, download=place.download)


def _stem(source: Source, wishes: Wishes) -> str:
    """What to call the output, from data, architecture and threat."""
    threat = wishes.threat
    name = Path(source.name.rstrip("/")).name.split(".")[0]
    against = [threat.norm, f"{threat.eps:g}"] if threat else ["standard"]
    return "-".join([name, *([wishes.arch.replace(":", "-")] if wishes.arch else []), *against])


def _destination(stem: str, place: Place) -> output.Destination:
    destination = output.destination(place.out, stem, ".safetensors", place.force, may_replace=place.resume)
    if place.json and destination.path is None:
        raise UsageError("--json: stdout carries the checkpoint; name a file for it with -o")
    if place.resume and not (place.out and destination.is_regular):
        raise UsageError("--resume needs -o FILE, beside which the state of the run lies")
    return destination


def _init(place: Place, wishes: Wishes) -> CheckpointFile | None:
    if place.init is None:
        return None
    wanted = importing.Wanted(wishes.arch, wishes.arch_args, place.normalize)
    return importing.read(streams.stdin() if place.init == "-" else streams.open_path(place.init), wanted)


def _announce(run: TrainingRun, reason: str, start: State | None) -> None:
    config, threat = run.config, run.config.threat
    against = f"against {threat.norm} eps {threat.eps:.4g}, PGD-{threat.steps}" if threat else "plainly"
    where = "streamed from" if run.data.streamed else "of"
    console.say(
        f"training {run.model.spec.arch} {against}: {config.epochs} epochs, {run.data.n:,} images {where}"
        f" {run.source.name}, on {reason}"
    )
    if start:
        console.say(f"resuming after epoch {len(start.history)}")


def _keep_last_epoch(run: TrainingRun, destination: output.Destination) -> None:
    """Write the checkpoint of the last whole epoch, so that an interrupted run is not lost."""
    if run.last_state is None or not destination.is_regular:
        return
    run.rewind()
    destination.write(run.to_bytes({}))
    console.say(f"interrupted: {destination.name} holds epoch {len(run.history)}; --resume goes on from it")


def _test(run: TrainingRun, place: Place) -> dict:
    """The final evaluation; empty if there is no test split, or it was trained on."""
    if "test" not in run.source.splits or run.data.images.split == "test":
        console.say("no test split here: the accuracies above are those on training images")
        return {}
    images = load(_source(place, "test"), size=run.wishes.size)
    attacked = min(place.test_limit or len(images), len(images)) if run.config.threat else 0
    with console.bar("evaluating", len(images) + 2 * attacked) as advance:
        return run.test(images, place.test_limit, advance)


def _report(run: TrainingRun, destination: output.Destination, metrics: dict, json: bool) -> None:
    described = {"path": destination.name, "arch": run.model.spec.arch}
    if json:
        last = run.history[-1] if run.history else None
        output.print_json({"schema": 1, "command": "train", "checkpoint": described, "training": last, **metrics})
    elif metrics and console.shows_bars():
        show({"checkpoint": described, **metrics}, to_stderr=True)
    elif metrics:
        for entry in ({"adv": "clean", **metrics["clean"]}, *metrics["adversarial"]):
            threat = f"{entry['adv']} {entry['eps']:.4g}" if "eps" in entry else entry["adv"]
            console.say(f"test accuracy, {threat}: {100 * entry['accuracy']:.2f}% of {entry['n']:,}")
    if destination.path:
        console.say(f"wrote {destination.name}")
