"""What ``advtool train`` does once its options are read: train, evaluate, write."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

from advtool import device as devices
from advtool import distributed
from advtool.cli import console, output
from advtool.cli.train import Train
from advtool.commands import trials
from advtool.commands.conversion import convert
from advtool.commands.report import show
from advtool.commands.reporter import Reporter
from advtool.data.arrays import Images, load
from advtool.data.sources import Source
from advtool.errors import UsageError
from advtool.evaluation import plots
from advtool.io import checkpoints, streams
from advtool.io.checkpoints import CheckpointFile
from advtool.models import importing
from advtool.options import declarations
from advtool.training import config as configuration
from advtool.training.config import TrainConfig
from advtool.training.curves import Curves, named
from advtool.training.overfitting import misled
from advtool.training.run import TrainingRun
from advtool.training.state import State, StateFile

CONVERSION = ("init", "normalize", "arch", "width", "hidden", "epochs")
"""Options that are used where weights are converted without any training."""


def run(options: Train) -> None:
    """Check everything that can be checked, then train, evaluate, and write the checkpoint."""
    options.validate()
    _check_plot(options)
    device, reason = devices.choose(options.device)
    init = _init(options)
    if init and "imported" in init.meta and options.epochs == 0 and options.data is None:
        _refuse_in_conversion(options)
        stem = f"{Path(init.path).stem}-{options.arch}"
        return convert(init, _destination(stem, options), options.dry_run, options.json)
    source = _source(options, options.split)
    seeds = range(options.seed, options.seed + (options.trials or 1))
    if options.trials:
        places = trials.destinations(options.out, seeds, options.force, options.resume)
    else:
        places = [_destination(_stem(source, options), options)]
    _check_processes(source, places, options)
    curves = _curves(source, options)
    training = TrainingRun(source, options, device, init, curves)
    if not source.repeatable:
        console.say("reading images from stdin")
    if options.dry_run:
        names = [destination.name if destination else None for destination in places]
        where = {"trials": list(seeds), "outputs": names} if options.trials else {"output": names[0]}
        resolved = {**training.resolved(), "options": _resolved(options, training).values()}
        output.print_json({"schema": 1, "command": "train", **resolved, **where})
        return
    test_images = cache(lambda: load(_source(options, "test"), size=options.size))

    def complete(run: TrainingRun, destination: output.Destination | None) -> dict:
        return _complete(run, destination, options, reason, test_images)

    with distributed.joined(device.type == "cuda"):
        _train(training, seeds, places, options, complete)


def _resolved(options: Train, run: TrainingRun) -> Train:
    """The options with every default decided."""
    config, spec = run.config, run.model.spec
    names = ("batch_size", "optimizer", "lr", "momentum", "weight_decay", "schedule", "lr_drops", "lr_drop_factor")
    names += ("label_smoothing", "augment", "beta", "replays", "ema", "ema_decay", "select", "amp")
    decided = {name: getattr(config, name) for name in names}
    if threat := config.threat:
        decided |= {"steps": threat.steps, "step_size": threat.step_size, "random_start": threat.random_start}
    if not config.ema:
        decided["ema_decay"] = None
    hidden = spec.args.get("hidden")
    return replace(
        options,
        **decided,
        epochs=configuration.default_epochs(spec.shape) if options.epochs is None else options.epochs,
        data=run.source.name,
        split=run.source.split,
        arch=spec.arch,
        width=spec.args.get("width", options.width),
        hidden=tuple(hidden) if hidden else options.hidden,
        device=str(run.device),
    )


def _refuse_in_conversion(options: Train) -> None:
    """Weights that are converted without training use few options; the others are refused."""
    for name, declared in declarations(Train).items():
        if declared.recorded and options.asked(name) and name not in CONVERSION:
            raise UsageError("is for training, and --epochs 0 without --data only converts --init", name)


def _train(run: TrainingRun, seeds: range, places: list, options: Train, complete: Callable) -> None:
    """Train once, or once a seed, and report."""
    if options.trials:
        trials.train_trials(run, seeds, places, complete, output.wants_json(options.json))
        return
    (destination,) = places
    if options.resume and _is_complete(destination.path):
        console.say(f"{destination.name} is complete, nothing to resume")
        return
    metrics = complete(run, destination)
    if not distributed.processes().is_first:
        return
    if options.plot:
        plots.plot_history(Path(options.plot), run.source.name, run.history)
    _report(run, destination, metrics, options.json)


def _complete(
    run: TrainingRun,
    destination: output.Destination | None,
    options: Train,
    reason: str,
    test_images: Callable[[], Images],
) -> dict:
    """Train, evaluate and write, or take up what an earlier run left; returns the metrics on the test split."""
    path = destination.path if destination and destination.is_regular else None
    state_file = StateFile(path, run.resolved())
    start = state_file.read() if options.resume else None
    if options.resume and _is_complete(path):
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
    metrics = _test(run, options, test_images)
    if destination:
        destination.write(run.to_bytes(metrics))
    state_file.remove()
    distributed.barrier()
    return metrics


def _check_processes(source: Source, places: list[output.Destination | None], options: Train) -> None:
    """Several processes share the work on files, each reading them; a stream can be read or written by one only."""
    if distributed.processes().world == 1:
        return
    if not source.repeatable or options.init == "-" or "-" in options.eval_data:
        raise UsageError("several processes read images and checkpoints from files, not from stdin: --data SOURCE")
    if any(destination and destination.path is None for destination in places):
        raise UsageError("several processes write one checkpoint to a file: -o FILE")


def _check_plot(options: Train) -> None:
    """Refuse a picture that there will not be."""
    if not options.plot:
        return
    output.check_figure(options.plot)
    if options.trials:
        raise UsageError("is for one run, not for --trials", "plot")
    if options.epochs == 0:
        raise UsageError("there are no epochs to draw", "plot")


def _is_complete(path: Path) -> bool:
    return path.exists() and not StateFile(path, {}).path.exists()


def _source(options: Train, split: str | None) -> Source:
    data = options.data
    if options.init == "-":
        if data == "-":
            raise UsageError("stdin can carry only one of this and --data -", "init", "-")
        data = data or "digits"
    return options.resolve(data, split)


def _curves(source: Source, options: Train) -> Curves:
    """The sets of --eval-data, read into memory."""
    specs = named(list(options.eval_data), lambda spec: Path(spec).exists())
    on_stdin = sum(spec == "-" for spec in specs.values()) + (not source.repeatable) + (options.init == "-")
    if on_stdin > 1:
        raise UsageError("stdin can carry only one thing", "eval_data", "-")
    options.refuse_elsewhere((options.data, *specs.values()))
    sets = {name: load(options.resolve(spec, default_split="test"), size=options.size) for name, spec in specs.items()}
    return Curves(sets, options.eval_every)


def _stem(source: Source, options: Train) -> str:
    """What to call the output, from data, architecture and threat."""
    name = Path(source.name.rstrip("/")).name.split(".")[0]
    against = ["standard"] if options.adv == "none" else [options.adv, f"{options.eps:g}"]
    return "-".join([name, *([options.arch.replace(":", "-")] if options.arch else []), *against])


def _destination(stem: str, options: Train) -> output.Destination:
    destination = output.destination(options.out, stem, ".safetensors", options.force, may_replace=options.resume)
    if options.json and destination.path is None:
        raise UsageError("stdout carries the checkpoint; name a file for it with -o", "json")
    if options.resume and not (options.out and destination.is_regular):
        raise UsageError("needs -o FILE, beside which the state of the run lies", "resume")
    return destination


def _init(options: Train) -> CheckpointFile | None:
    if options.init is None:
        return None
    wanted = importing.Wanted(options.arch, options.arch_args(), options.normalize)
    file = importing.read(streams.stdin() if options.init == "-" else streams.open_path(options.init), wanted)
    if options.normalize is not None and "imported" not in file.meta:
        raise UsageError(f"is for PyTorch files; {file.path} has its own normaliser", "normalize")
    return file


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


def _test(run: TrainingRun, options: Train, test_images: Callable[[], Images]) -> dict:
    """The final evaluation; empty if there is no test split, or it was trained on."""
    if "test" not in run.source.splits or run.data.images.split == "test":
        console.say("no test split here: the accuracies above are those on training images")
        return {}
    images = test_images()
    attacked = min(options.test_limit or len(images), len(images)) if run.config.threat else 0
    with console.bar("evaluating", len(images) + 2 * attacked) as advance:
        return run.test(images, options.test_limit, advance)


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
