"""What ``advtool train`` does once its options are parsed: train, evaluate, write."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from advtool import device as devices
from advtool import distributed
from advtool.cli import console, output
from advtool.commands import trials
from advtool.commands.conversion import convert
from advtool.commands.report import show
from advtool.commands.reporter import Reporter
from advtool.data.arrays import Images, load
from advtool.data.sources import Source, resolve
from advtool.errors import UsageError
from advtool.evaluation import plots
from advtool.io import checkpoints, streams
from advtool.io.checkpoints import CheckpointFile
from advtool.models import importing
from advtool.training.config import TrainConfig
from advtool.training.curves import Curves, named
from advtool.training.overfitting import misled
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
    eval_data: tuple[str, ...]
    eval_every: int
    plot: str | None
    normalize: str | None
    device: str
    out: str | None
    force: bool
    resume: bool
    test_limit: int
    trials: int | None
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
    seeds = range(wishes.seed, wishes.seed + (place.trials or 1))
    _check_plot(place)
    if place.trials:
        places = trials.destinations(place.out, seeds, place.force, place.resume)
    else:
        places = [_destination(_stem(source, wishes), place)]
    _check_processes(source, places, place)
    curves = _curves(source, place, wishes.size)
    run = TrainingRun(source, wishes, device, init, curves)
    if not source.repeatable:
        console.say("reading images from stdin")
    if place.dry_run:
        names = [destination.name if destination else None for destination in places]
        where = {"trials": list(seeds), "outputs": names} if place.trials else {"output": names[0]}
        output.print_json({"schema": 1, "command": "train", **run.resolved(), **where})
        return
    if place.plot and not run.config.epochs:
        raise UsageError("--plot: there are no epochs to draw")
    test_images = cache(lambda: load(_source(place, "test"), size=wishes.size))

    def complete(run: TrainingRun, destination: output.Destination | None) -> dict:
        return _complete(run, destination, place, reason, test_images)

    with distributed.joined(device.type == "cuda"):
        _train(run, seeds, places, place, complete)


def _train(run: TrainingRun, seeds: range, places: list, place: Place, complete: Callable) -> None:
    """Train once, or once a seed, and report."""
    if place.trials:
        trials.train_trials(run, seeds, places, complete, output.wants_json(place.json))
        return
    (destination,) = places
    if place.resume and _is_complete(destination.path):
        console.say(f"{destination.name} is complete, nothing to resume")
        return
    metrics = complete(run, destination)
    if not distributed.processes().is_first:
        return
    if place.plot:
        plots.plot_history(Path(place.plot), run.source.name, run.history)
    _report(run, destination, metrics, place.json)


def _complete(
    run: TrainingRun,
    destination: output.Destination | None,
    place: Place,
    reason: str,
    test_images: Callable[[], Images],
) -> dict:
    """Train, evaluate and write, or take up what an earlier run left; returns the metrics on the test split."""
    path = destination.path if destination and destination.is_regular else None
    state_file = StateFile(path, run.resolved())
    start = state_file.read() if place.resume else None
    if place.resume and _is_complete(path):
        metrics = run.take_over(checkpoints.read(streams.open_path(path)))
        console.say(f"{destination.name} is complete")
        return metrics
    _announce(run, reason, start)
    is_first = distributed.processes().is_first
    try:
        with Reporter(run.config.epochs, run.data.n) as reporter:
            run.fit(reporter, state_file.write if is_first else lambda state: None, start)
    except KeyboardInterrupt:
        if is_first:
            _keep_last_epoch(run, destination)
        raise
    if not is_first:
        distributed.barrier()
        return {}
    metrics = _test(run, place, test_images)
    if destination:
        destination.write(run.to_bytes(metrics))
    state_file.remove()
    distributed.barrier()
    return metrics


def _check_processes(source: Source, places: list[output.Destination | None], place: Place) -> None:
    """Several processes share the work on files, each reading them; a stream can be read or written by one only."""
    if distributed.processes().world == 1:
        return
    if not source.repeatable or place.init == "-" or "-" in place.eval_data:
        raise UsageError("several processes read images and checkpoints from files, not from stdin: --data SOURCE")
    if any(destination and destination.path is None for destination in places):
        raise UsageError("several processes write one checkpoint to a file: -o FILE")


def _check_plot(place: Place) -> None:
    if place.plot and place.trials:
        raise UsageError("--plot is for one run, not for --trials")
    if place.plot:
        plots.check_path(place.plot)
        output.check_directory(Path(place.plot).parent)


def _is_complete(path: Path) -> bool:
    return path.exists() and not StateFile(path, {}).path.exists()


def _source(place: Place, split: str | None) -> Source:
    data = place.data
    if place.init == "-":
        if data == "-":
            raise UsageError("--init - and --data -: stdin can carry only one of them")
        data = data or "digits"
    return resolve(data, split, data_root=place.data_root, download=place.download)


def _curves(source: Source, place: Place, size: int | None) -> Curves:
    """The sets of --eval-data, read into memory."""
    specs = named(list(place.eval_data), lambda spec: Path(spec).exists())
    on_stdin = sum(spec == "-" for spec in specs.values()) + (not source.repeatable) + (place.init == "-")
    if on_stdin > 1:
        raise UsageError("--eval-data -: stdin can carry only one thing")
    options = {"default_split": "test", "data_root": place.data_root, "download": place.download}
    return Curves({name: load(resolve(spec, **options), size=size) for name, spec in specs.items()}, place.eval_every)


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
    config = run.config
    where = "streamed from" if run.data.streamed else "of"
    console.say(
        f"training {run.model.spec.arch} {_how(config)}: {config.epochs} epochs, {run.data.n:,} images {where}"
        f" {run.source.name}, on {reason}"
    )
    if start:
        console.say(f"resuming after epoch {len(start.history)}")


def _how(config: TrainConfig) -> str:
    threat = config.threat
    if not threat or not config.attacks:
        return f"with noise {config.noise:.4g}" if config.noise else "plainly"
    steps = f"PGD-{threat.steps}"
    kind = {
        "pgd": steps,
        "trades": f"TRADES β {config.beta:g}, {steps}",
        "mart": f"MART β {config.beta:g}, {steps}",
        "fast": f"one step of {threat.step_size:.4g}",
        "free": f"free with {config.replays} replays",
    }[config.objective]
    joint = f", λ {config.lam:g}" if config.lam != 1 else ""
    return f"against {threat.norm} eps {threat.eps:.4g}, {kind}{joint}"


def _keep_last_epoch(run: TrainingRun, destination: output.Destination | None) -> None:
    """Write the checkpoint of the last whole epoch, so that an interrupted run is not lost."""
    if run.last_state is None or not (destination and destination.is_regular):
        return
    run.rewind()
    destination.write(run.to_bytes({}))
    epoch, done = run.selected["epoch"], len(run.history)
    of = f", the best of {done}" if run.config.select == "best" else ""
    console.say(f"interrupted: {destination.name} holds epoch {epoch}{of}; --resume goes on from epoch {done}")


def _test(run: TrainingRun, place: Place, test_images: Callable[[], Images]) -> dict:
    """The final evaluation; empty if there is no test split, or it was trained on."""
    if "test" not in run.source.splits or run.data.images.split == "test":
        console.say("no test split here: the accuracies above are those on training images")
        return {}
    images = test_images()
    attacked = min(place.test_limit or len(images), len(images)) if run.config.threat else 0
    with console.bar("evaluating", len(images) + 2 * attacked) as advance:
        return run.test(images, place.test_limit, advance)


def _report(run: TrainingRun, destination: output.Destination, metrics: dict, json: bool) -> None:
    described = {"path": destination.name, "arch": run.model.spec.arch}
    if json:
        last = run.history[-1] if run.history else None
        found = {"checkpoint": described, "training": last, "selected": run.selected, **metrics}
        output.print_json({"schema": 1, "command": "train", **found})
    elif metrics and console.shows_bars():
        show({"checkpoint": described, **metrics}, to_stderr=True)
    elif metrics:
        for entry in ({"adv": "clean", **metrics["clean"]}, *metrics["adversarial"]):
            threat = f"{entry['adv']} {entry['eps']:.4g}" if "eps" in entry else entry["adv"]
            console.say(f"test accuracy, {threat}: {100 * entry['accuracy']:.2f}% of {entry['n']:,}")
    for name, accuracy in (run.history[-1] if run.history else {}).get("accuracy", {}).items():
        console.say(f"accuracy on {name} after the last epoch: {100 * accuracy:.2f}%")
    if run.selected and misled(kept := run.history[run.selected["epoch"] - 1]):
        one, many = (f"{100 * kept[name]:.1f}%" for name in ("adversarial_accuracy", "pgd_accuracy"))
        console.say(
            f"warning: against its one step {one} of the training images stand, against PGD only {many}: this is no"
            " robustness; a smaller --step-size may help, or --objective pgd"
        )
    if run.selected and run.selected["by"] != "last":
        found = f" ({100 * run.selected['accuracy']:.2f}%)" if "accuracy" in run.selected else ""
        console.say("kept epoch {epoch} of {of}: {by}".format(**run.selected) + found)
    if destination.path:
        console.say(f"wrote {destination.name}")
