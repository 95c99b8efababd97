"""What ``advtool train`` does, step by step: read, resolve, train, evaluate, write."""

import json
import os
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from advtool import device as devices
from advtool.cli import console, output
from advtool.cli.evaluate import show
from advtool.cli.parse import choice
from advtool.data import augment
from advtool.data.arrays import load
from advtool.data.sources import Source, resolve
from advtool.errors import UsageError, unknown
from advtool.evaluation.evaluate import Settings, evaluate
from advtool.io import checkpoints, streams
from advtool.io.atomic import whole_file
from advtool.models import checkpoint, registry
from advtool.models.classifier import Classifier
from advtool.threat import Threat
from advtool.training import schedule
from advtool.training.config import OPTIMIZERS, TrainConfig, recipe
from advtool.training.loop import Tally, Trainer
from advtool.training.setup import check_init, new_model, read_training_data, subset
from advtool.training.state import State

_UNMIRRORED = ("svhn", "mnist", "kmnist", "digits")


@dataclass(frozen=True)
class RunOptions:
    """The command line of ``advtool train``, parsed but not resolved."""

    data: str | None
    split: str | None
    data_root: Path | None
    download: bool
    limit: int | None
    max_memory: float | None
    workers: int
    arch: str | None
    arch_args: dict
    init: str | None
    epochs: int | None
    threat: Threat | None
    wishes: dict
    seed: int
    device: str
    amp: bool | None
    compile: bool
    out: str | None
    force: bool
    resume: bool
    test_limit: int
    json: bool


class Run:
    """One training run. Constructing it checks all that can be checked before the data is read."""

    def __init__(self, options: RunOptions):
        self.options = options
        wishes = options.wishes
        if options.arch is not None and options.arch not in registry.NAMES:
            raise unknown("architecture", options.arch, registry.NAMES)
        choice(wishes.get("optimizer"), "--optimizer", OPTIMIZERS)
        choice(wishes.get("schedule"), "--schedule", schedule.CHOICES)
        choice(wishes.get("augment"), "--augment", augment.CHOICES)
        self.device, self.device_reason = devices.choose(options.device)
        if options.init == "-":
            if options.data == "-":
                raise UsageError("--init - and --data -: stdin can carry only one of them")
            self.source = self._resolve(options.data or "digits", options.split)
        else:
            self.source = self._resolve(options.data, options.split)
        name = Path(self.source.name.rstrip("/")).name.split(".")[0].replace("*", "") or "model"
        threat = options.threat
        stem = "-".join([name, options.arch or "model", *([threat.norm, f"{threat.eps:g}"] if threat else [])])
        self.destination = output.destination(
            options.out, stem, ".safetensors", options.force, may_replace=options.resume
        )
        if options.json and self.destination.path is None:
            raise UsageError("--json: stdout carries the checkpoint; name a file for it with -o")
        if options.resume and not self.destination.is_regular:
            raise UsageError("--resume needs -o FILE, beside which the state of the run lies")

    @cached_property
    def data(self):
        """The training images."""
        if not self.source.repeatable:
            console.say("reading images from stdin")
        budget = devices.memory_budget(self.device, self.options.max_memory)
        return read_training_data(self.source, self.options.limit, budget)

    @cached_property
    def model(self) -> Classifier:
        """The model with the weights that training starts from."""
        options = self.options
        if options.init is None:
            return new_model(self.data.images, options.arch, options.arch_args, options.seed)
        stream = streams.stdin() if options.init == "-" else streams.open_path(options.init)
        model = checkpoint.restore(checkpoints.read(stream))
        check_init(model, self.data.images, options.arch, options.arch_args)
        return model

    @cached_property
    def config(self) -> TrainConfig:
        """Every training setting, from the options and, where they are silent, from the recipe."""
        options = self.options
        settings = recipe(self.data.head.shape, options.epochs, self.source.name not in _UNMIRRORED)
        return TrainConfig(
            **(settings | options.wishes),
            threat=options.threat,
            seed=options.seed,
            amp=devices.use_amp(options.amp, self.device),
        )

    def resolved(self) -> dict:
        """The whole configuration, as --dry-run prints it and the state of a run records it."""
        head = self.data.head
        return {
            "schema": checkpoints.SCHEMA,
            "command": "train",
            "model": self.model.spec.to_json(),
            "training": self.config.to_json(),
            "data": {
                "source": self.source.name,
                "split": self.data.images.split,
                "n": self.data.n,
                "classes": head.num_classes,
                "history": list(head.history),
                "streamed": self.data.streamed,
            },
            "init": self.options.init,
            "device": str(self.device),
        }

    def execute(self) -> None:
        """Train, evaluate, and write the checkpoint."""
        state_file = StateFile(self.destination, json.loads(json.dumps(self.resolved())))
        start = state_file.read(self.options.resume)
        if start is None and self.options.resume and self.destination.path.exists():
            console.say(f"{self.destination.name} is complete, nothing to resume")
            return
        self._announce(start)
        model = self.model.to(self.device)
        if self.options.compile:
            model.compile()
        batches = self.data.batches(self.config.batch_size, self.config.seed, self.device, self.options.workers)
        with Reporter(self.config, self.data.n) as reporter:
            trainer = Trainer(model, batches, self.config, reporter, state_file.write)
            try:
                history = trainer.run(start)
            except KeyboardInterrupt:
                self._keep_last_epoch(trainer)
                raise
        metrics = self._final_evaluation(model)
        self.destination.write(self._to_bytes(model, history, metrics))
        state_file.remove()
        self._report(metrics)

    def _resolve(self, data: str | None, split: str | None) -> Source:
        return resolve(data, split, data_root=self.options.data_root, download=self.options.download)

    def _announce(self, start: State | None) -> None:
        config, spec = self.config, self.model.spec
        threat = config.threat
        against = f"against {threat.norm} eps {threat.eps:.4g}, PGD-{threat.steps}" if threat else "plainly"
        where = "streamed from" if self.data.streamed else "of"
        console.say(
            f"training {spec.arch} {against}: {config.epochs} epochs, {self.data.n:,} images {where}"
            f" {self.source.name}, on {self.device_reason}"
        )
        if start:
            console.say(f"resuming after epoch {len(start.history)}")

    def _keep_last_epoch(self, trainer: Trainer) -> None:
        """Write the checkpoint of the last whole epoch, so that an interrupted run is not lost."""
        if trainer.last_state is None or not self.destination.is_regular:
            return
        self.model.net.load_state_dict(trainer.last_state.model)
        history = list(trainer.last_state.history)
        self.destination.write(self._to_bytes(self.model, history, {}))
        console.say(f"interrupted: {self.destination.name} holds epoch {len(history)}; --resume goes on from it")

    def _final_evaluation(self, model: Classifier) -> dict:
        """Clean accuracy on the whole test split, and robust accuracy on what --test-limit allows of it."""
        if "test" not in self.source.splits or self.data.images.split == "test":
            console.say("no test split here: accuracies are those on the training images")
            return {}
        images = load(self._resolve(self.options.data or self.source.name, "test"))
        settings = Settings(self.device, seed=self.config.seed, amp=self.config.amp)
        threat = self.config.threat
        threats = (
            [Threat.evaluation(threat.norm, threat.eps, random_start=threat.random_start)] if threat else []
        )
        attacked = subset(images, self.options.test_limit or len(images), self.config.seed)
        with console.bar("evaluating", len(images) + 2 * len(attacked) * len(threats)) as advance:
            result = evaluate(model, images, [], settings, advance)
            if threats:
                result["adversarial"] = evaluate(model, attacked, threats, settings, advance)["adversarial"]
        return {"data": {"source": images.name, "split": images.split, "n": len(images)}, **result}

    def _to_bytes(self, model: Classifier, history: list[dict], metrics: dict) -> bytes:
        resolved = self.resolved()
        return checkpoint.to_bytes(
            model,
            training=resolved["training"] | {"epochs_done": len(history), "init": self.options.init},
            data=resolved["data"],
            history=history,
            metrics=metrics,
            seed=self.config.seed,
            device=resolved["device"],
        )

    def _report(self, metrics: dict) -> None:
        described = {"path": self.destination.name, "arch": self.model.spec.arch}
        if self.options.json:
            output.print_json({"schema": 1, "command": "train", "checkpoint": described, "metrics": metrics})
        elif metrics and console.shows_bars():
            show({"checkpoint": described, **metrics}, to_stderr=True)
        elif metrics:
            for entry in ({"adv": "clean", **metrics["clean"]}, *metrics["adversarial"]):
                threat = f"{entry['adv']} {entry['eps']:.4g}" if "eps" in entry else entry["adv"]
                console.say(f"test accuracy, {threat}: {100 * entry['accuracy']:.2f}% of {entry['n']:,}")
        if self.destination.path:
            console.say(f"wrote {self.destination.name}")


class StateFile:
    """``OUT.state``, beside the output while a run is under way."""

    def __init__(self, destination: output.Destination, run: dict):
        self._path = Path(f"{os.path.realpath(destination.path)}.state") if destination.is_regular else None
        self._run = run

    def read(self, resume: bool) -> State | None:
        if not (resume and self._path and self._path.exists()):
            return None
        return State.from_file(checkpoints.read(streams.open_path(self._path)), self._run)

    def write(self, state: State) -> None:
        if self._path:
            with whole_file(self._path) as file:
                file.write(state.to_bytes(self._run))

    def remove(self) -> None:
        if self._path:
            with suppress(FileNotFoundError):
                self._path.unlink()


class Reporter:
    """Tells how training goes: a bar at a terminal, else a line every few seconds."""

    SECONDS_BETWEEN_LINES = 5

    def __init__(self, config: TrainConfig, n: int):
        self._config, self._total = config, n * config.epochs
        self._stack = ExitStack()
        self._last_line = 0.0

    def __enter__(self) -> "Reporter":
        self._started = time.perf_counter()
        self._done, self._in_epoch = 0, 0
        self._advance = self._stack.enter_context(console.training_bar(self._total))
        return self

    def __exit__(self, *exception) -> None:
        self._stack.__exit__(*exception)

    def batch(self, epoch: int, tally: Tally) -> None:
        count = tally.n - self._in_epoch if tally.n > self._in_epoch else tally.n
        self._in_epoch = tally.n
        self._done += count
        self._advance(count, f"epoch {epoch}/{self._config.epochs}", _describe(tally.to_json()))

    def epoch(self, record: dict) -> None:
        self._in_epoch = 0
        now = time.perf_counter()
        last = record["epoch"] == self._config.epochs
        if console.shows_bars() or not (last or now - self._last_line > self.SECONDS_BETWEEN_LINES):
            return
        self._last_line = now
        rate = self._done / max(now - self._started, 1e-9)
        console.say(f"epoch {record['epoch']}/{self._config.epochs}: {_describe(record)}, {rate:,.0f} images/s")


def _describe(record: dict) -> str:
    parts = [f"loss {record['loss']:.3f}", f"clean {100 * record['clean_accuracy']:.1f}%"]
    if "adversarial_accuracy" in record:
        parts.append(f"adversarial {100 * record['adversarial_accuracy']:.1f}%")
    return ", ".join(parts)
