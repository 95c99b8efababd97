"""What ``advtool train`` does once its options are read: train, evaluate, write."""

import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import torch

from advtool import device as devices
from advtool import distributed
from advtool.cli import bars, console, output
from advtool.cli.train import Train
from advtool.commands import conversion, trials
from advtool.commands.checkpoint_output import check_log, check_plot, check_processes, checkpoint_destination, stem
from advtool.commands.checkpoints import refuse_foreign
from advtool.commands.reporter import Reporter, logged
from advtool.commands.terminating import terminating
from advtool.commands.train_report import announce, report
from advtool.data.arrays import Images, load
from advtool.data.sources import Source
from advtool.errors import AdvtoolError, UsageError
from advtool.evaluation import plots
from advtool.io import checkpoints, streams
from advtool.io.checkpoints import CheckpointFile
from advtool.io.locks import locked_file
from advtool.models import importing, pretrained
from advtool.options import declarations
from advtool.training import resuming
from advtool.training.curves import Curves, named
from advtool.training.divergence import Diverged
from advtool.training.logs import RunLog, Several
from advtool.training.run import TrainingRun
from advtool.training.setup import resizing
from advtool.training.state import State, StateFile
from advtool.training.watched import check, fitted
from advtool.training.within import Stopped

CONVERSION = ("init", "pretrained", "download", "normalize", "weights", "arch", "width", "hidden", "epochs")
"""Options that are used where weights are converted without any training."""

DECIDED = (
    *("batch_size", "optimizer", "lr", "momentum", "weight_decay", "schedule", "lr_drops", "lr_drop_factor"),
    *("label_smoothing", "augment", "beta", "replays", "ema", "ema_decay", "select", "amp"),
)
"""Options whose defaults depend on the data and on one another."""

Complete = Callable[[TrainingRun, output.Destination | None], dict]
"""Trains, writes, and returns metrics on the test split, empty where there is none."""


def run(options: Train) -> None:
    """Check everything that can be checked, then train, evaluate, and write the checkpoint."""
    options.validate()
    check_plot(options)
    check_log(options)
    device, reason = devices.choose(options.device)
    with distributed.joined(device):
        _run(options, device, reason)


def _run(options: Train, device: torch.device, reason: str) -> None:
    init = _init(options)
    if init and "imported" in init.meta and options.epochs == 0 and options.data is None:
        _refuse_in_conversion(options)
        if distributed.processes().world > 1:
            raise UsageError("several processes train; without training one converts the checkpoint")
        place = checkpoint_destination(conversion.stem(init), options)
        return conversion.convert(init, place, options.dry_run, options.json)
    source = _source(options, options.split)
    seeds = range(options.seed, options.seed + (options.trials or 1))
    only = None if options.trials else checkpoint_destination(stem(source, options), options)
    places = [only] if only else trials.destinations(options.out, seeds, options.force, options.resume)
    check_processes(source, places, options)
    curves = _curves(source, options)
    training = TrainingRun(source, options, device, init, curves)
    if not source.repeatable:
        console.say("reading images from stdin")
    if options.dry_run:
        names = [place.name if place else None for place in places]
        where = {"output": only.name} if only else {"trials": list(seeds), "outputs": names}
        resolved = {**training.resolved(), **_resolved(options, training).resolved()}
        output.print_json({"schema": 1, "command": "train", **resolved, **where})
        return
    here = distributed.processes()
    test_images = cache(lambda: load(_source(options, "test"), preprocessing=resizing(options.size), here=here))

    def complete(run: TrainingRun, place: output.Destination | None) -> dict:
        return _complete(run, place, options, reason, test_images)

    if only:
        _train(training, only, options, complete)
    else:
        trials.train_trials(training, seeds, places, complete, output.wants_json(options.json))


def _train(run: TrainingRun, place: output.Destination, options: Train, complete: Complete) -> None:
    """Train once and report."""
    metrics = complete(run, place)
    if not distributed.processes().is_first:
        return
    if options.plot:
        plots.plot_history(Path(options.plot), run.source.name, run.history)
    report(run, place, metrics, options.json)


def _complete(
    run: TrainingRun,
    place: output.Destination | None,
    options: Train,
    reason: str,
    test_images: Callable[[], Images],
) -> dict:
    """Train, evaluate and write, or take up what an earlier run left; returns the metrics on the test split."""
    path, is_first = place.regular if place else None, distributed.processes().is_first
    with locked_file(path if is_first else None):
        return _trained(run, place, path, options, reason, test_images)


def _trained(
    run: TrainingRun,
    place: output.Destination | None,
    path: Path | None,
    options: Train,
    reason: str,
    test_images: Callable[[], Images],
) -> dict:
    state_file = StateFile(path, {**run.resolved(), "images": run.fingerprint()})
    start = state_file.read() if options.resume else None
    if options.resume and path and _is_complete(path):
        left = resuming.take_over(run, checkpoints.read(streams.open_path(path, regular=True)))
        if not isinstance(left, State):
            console.say(f"{path} is complete, nothing to resume")
            return left
        state_file.extend(start := left)
    tested = _check_test(run, options, test_images)
    announce(run, reason, start)
    is_first = distributed.processes().is_first
    with logged(options, start) as log:
        _fit(run, place, state_file, start, log, options.save_every or 0)
        metrics = _test(run, options, test_images) if tested else {}
        if log:
            log.test(metrics, len(run.history))
    if is_first and place:
        place.write(run.to_bytes(metrics))
    if is_first and not options.keep_state:
        state_file.remove()
    distributed.barrier()
    return metrics


def _fit(
    run: TrainingRun,
    place: output.Destination | None,
    state_file: StateFile,
    start: State | None,
    log: RunLog | None,
    save_every: int,
) -> None:
    """Train; of a run that ends early the last whole epoch is kept."""
    is_first = distributed.processes().is_first
    try:
        with Reporter(run.config.epochs, run.data.n) as reporter, terminating(state_file.path is not None) as stop:
            save = state_file.write if is_first else lambda state: None
            watching = Several(reporter, *([log] if log else []))
            run.fit(watching, save, start, save_every, stop)
    except Stopped:
        console.say(f"terminated: {state_file.path} holds all that is done; --resume goes on from there")
        sys.exit(128 + signal.SIGTERM)
    except KeyboardInterrupt:
        if is_first and (kept := _keep_last_epoch(run, place)):
            console.say(f"interrupted: {kept}; --resume goes on from epoch {len(run.history)}")
        raise
    except Diverged as error:
        kept = _keep_last_epoch(run, place) if is_first else None
        raise AdvtoolError(f"{error}; {kept or 'nothing is written'}; try a lower learning rate") from error


def _is_complete(path: Path | None) -> bool:
    return path is not None and path.exists() and not StateFile(path, {}).exists()


def _keep_last_epoch(run: TrainingRun, place: output.Destination | None) -> str | None:
    """Write the checkpoint of the last whole epoch, so that a run that ends early is not lost: what it holds."""
    if run.last_state is None or place is None or not place.regular:
        return None
    run.rewind()
    place.write(run.to_bytes({}))
    done = len(run.history)
    epoch = run.selected["epoch"] if run.selected else done
    of = f", the best of {done}" if run.config.select == "best" else ""
    return f"{place.name} holds epoch {epoch}{of}"


def _resolved(options: Train, run: TrainingRun) -> Train:
    """The options with every default decided."""
    config, spec = run.config, run.model.spec
    decided = {name: getattr(config, name) for name in DECIDED}
    if threat := config.threat:
        decided |= {"steps": threat.steps, "union": config.union}
        if len(config.threats) == 1:
            decided |= {"step_size": threat.step_size, "random_start": threat.random_start}
    if not config.ema:
        decided["ema_decay"] = None
    hidden = spec.args.get("hidden")
    return replace(
        options,
        **decided,
        epochs=run.passes,
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
    fetched = frozenset({"download"}) if options.pretrained else frozenset()
    options.refuse_elsewhere((options.data, *specs.values()), fetched)
    sources = {name: options.resolve(spec, default_split="test") for name, spec in specs.items()}
    options.refuse_keys(source, *sources.values())
    here = distributed.processes()
    sets = {name: load(each, preprocessing=resizing(options.size), here=here) for name, each in sources.items()}
    return Curves(sets, options.eval_every)


def _init(options: Train) -> CheckpointFile | None:
    if options.pretrained:
        if options.init is not None:
            raise UsageError("is for weights that are published; --init names others", "pretrained")
        if options.arch is None:
            raise UsageError("needs --arch, such as resnet18 or timm:resnet18", "pretrained")
        if args := options.arch_args():
            raise UsageError("published weights are of the network as it is", next(iter(args)))
        return pretrained.read(options.arch, options.download)
    if options.init is None:
        return None
    wanted = importing.Wanted(options.arch, options.arch_args(), options.normalize, options.weights)
    on_stdin = options.init == "-"
    file = importing.read(streams.stdin(), wanted) if on_stdin else importing.read_path(options.init, wanted)
    if file.own:
        refuse_foreign(file, options.normalize, options.weights)
    return file


def _check_test(run: TrainingRun, options: Train, test_images: Callable[[], Images]) -> bool:
    """Whether there is a test split that was not trained on; one that the model cannot take or know is refused.

    It is read now, but where training images are streamed since they are too many.
    """
    if "test" not in run.source.splits or run.data.images.split == "test":
        console.say("no test split here: all accuracies are those on training images")
        return False
    if run.data.streamed:
        check(_source(options, "test"), run.model.spec, "the test split", any_size=options.size is not None)
    else:
        fitted(test_images(), run.model.spec, "the test split")
    return True


def _test(run: TrainingRun, options: Train, test_images: Callable[[], Images]) -> dict:
    """The final evaluation."""
    images = test_images()
    attacked = min(options.test_limit or len(images), len(images)) if run.config.threat else 0
    passes = 1 + len(run.config.threats)
    with bars.bar("evaluating", len(images) + passes * attacked) as advance:
        return run.test(images, options.test_limit, advance)
