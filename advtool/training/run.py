"""A training run from start to checkpoint, as ``advtool train`` does it; usable from Python as well."""

import json
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch

from advtool import device as devices
from advtool.data import augment
from advtool.data.arrays import Images
from advtool.data.sources import Source
from advtool.data.subset import subset
from advtool.device import Settings
from advtool.errors import AdvtoolError, UsageError, unknown
from advtool.evaluation.batch import Progress
from advtool.evaluation.measure import accuracies
from advtool.io.checkpoints import CheckpointFile
from advtool.models import checkpoint, registry
from advtool.models.classifier import Classifier
from advtool.threat import Threat
from advtool.training import config as configuration
from advtool.training import schedule, selection
from advtool.training.config import OPTIMIZERS, TrainConfig
from advtool.training.curves import Curves
from advtool.training.loop import Observer, Trainer
from advtool.training.parallel import synchronized
from advtool.training.selection import is_over
from advtool.training.setup import TrainingData, check_init, hold_out, new_model, read_training_data
from advtool.training.state import State, check_same

UNMIRRORED = ("digits", "mnist", "kmnist", "svhn")
_CHOICES = {"optimizer": OPTIMIZERS, "schedule": schedule.CHOICES, "augment": augment.CHOICES}


@dataclass(frozen=True)
class Wishes:
    """What was asked for; the data's recipe decides the rest.

    Attributes
    ----------
    arch, arch_args : architecture and its arguments
    top_pixels : let the model see only so many pixels, those most correlated with the label
    size : side that images are scaled to, by random-resized crops unless `augment` says otherwise
    epochs : passes over the data
    settings : any fields of `TrainConfig` but epochs, threat, seed and amp
    threat : adversary to train against
    limit : use the first so many images
    max_memory : GiB of pixels above which the images are streamed
    """

    arch: str | None = None
    arch_args: dict = field(default_factory=dict)
    top_pixels: int | None = None
    size: int | None = None
    epochs: int | None = None
    settings: dict = field(default_factory=dict)
    threat: Threat | None = None
    seed: int = 0
    amp: bool | None = None
    compile: bool = False
    limit: int | None = None
    max_memory: float | None = None
    workers: int = 2

    def check(self) -> None:
        """Raise UsageError for names that do not exist, and for settings that do not go together."""
        if self.arch is not None:
            registry.find(self.arch)
        for name, choices in _CHOICES.items():
            value = self.settings.get(name)
            if value is not None and value not in choices:
                raise unknown(f"--{name}", value, choices)
        if self.size is None and self.settings.get("augment") in augment.RESIZED_CROPS:
            raise UsageError("--augment rrc: say the side of the crops with --size")
        configuration.check(self.settings, self.threat)

    @property
    def random_crop(self) -> bool:
        """Whether images are scaled by random-resized crops."""
        return self.size is not None and self.settings.get("augment", "rrc") in augment.RESIZED_CROPS


class TrainingRun:
    """Reads the data, resolves every setting, trains, evaluates, and makes the checkpoint.

    Parameters
    ----------
    source : of the training images
    device : to compute on
    init : checkpoint to start from; None for random weights
    curves : sets of images to measure accuracy on as training goes on

    Examples
    --------
    >>> run = TrainingRun(resolve("digits"), Wishes(threat=Threat.training("l2", 0.5)), torch.device("cpu"))
    >>> run.fit()
    >>> metrics = run.test(load(resolve("digits", "test")))
    """

    def __init__(
        self,
        source: Source,
        wishes: Wishes,
        device: torch.device,
        init: CheckpointFile | None = None,
        curves: Curves | None = None,
    ):
        wishes.check()
        self.source, self.wishes, self.device, self.init = source, wishes, device, init
        self.curves = curves or Curves()
        self.history: list[dict] = []
        self.last_state: State | None = None

    @cached_property
    def _parts(self) -> tuple[TrainingData, Images | None]:
        """(the images to train on, those held out for validation)."""
        wishes = self.wishes
        budget = devices.memory_budget(self.device, wishes.max_memory)
        data = read_training_data(self.source, wishes.limit, budget, wishes.size, wishes.random_crop)
        fraction = wishes.settings.get("val", 0)
        return hold_out(data, fraction, budget) if fraction else (data, None)

    @property
    def data(self) -> TrainingData:
        """The images to train on."""
        return self._parts[0]

    @property
    def validation(self) -> Images | None:
        """The images held out for validation."""
        return self._parts[1]

    @cached_property
    def model(self) -> Classifier:
        """The model that is trained; at first with the weights that training starts from."""
        wishes = self.wishes
        if self.init is None:
            options = (wishes.arch, wishes.arch_args, wishes.seed, wishes.top_pixels)
            return new_model(self.data.images, *options).to(self.device)
        if wishes.top_pixels:
            raise UsageError("--top-pixels chooses for a new model; one from --init sees what it did before")
        model = checkpoint.restore(self.init)
        check_init(model, self.data.images, wishes.arch, wishes.arch_args, "imported" in self.init.meta)
        return model.to(self.device)

    @cached_property
    def config(self) -> TrainConfig:
        """Every training setting."""
        wishes = self.wishes
        mirrored = self.source.name not in UNMIRRORED
        shape = self.data.head.shape
        resized = {"augment": "rrc+flip" if mirrored else "rrc"} if wishes.size else {}
        settings = configuration.resolve(resized | wishes.settings, wishes.epochs, wishes.threat, shape, mirrored)
        amp = devices.use_amp(wishes.amp, self.device)
        return TrainConfig(**settings, threat=wishes.threat, seed=wishes.seed, amp=amp)

    def with_seed(self, seed: int) -> "TrainingRun":
        """The same run, of the same images, with another seed."""
        wishes = replace(self.wishes, seed=seed)
        other = TrainingRun(self.source, wishes, self.device, self.init, self.curves)
        other.__dict__["_parts"] = self._parts
        return other

    def resolved(self) -> dict:
        """The whole configuration: what the checkpoint and the state of the run record."""
        head = self.data.head
        return {
            "model": self.model.spec.to_json(),
            "training": self.config.to_json() | {"init": self.init.sha256 if self.init else None},
            "data": {
                "source": self.source.name,
                "split": self.data.images.split,
                "n": self.data.n,
                **({"validation": len(self.validation)} if self.validation else {}),
                "classes": head.num_classes,
                "history": list(head.history),
                "streamed": self.data.streamed,
                **({"size": self.data.size} if self.data.size else {}),
            },
            **({"curves": self.curves.to_json()} if self.curves.sets else {}),
            "seed": self.config.seed,
            "device": str(self.device),
        }

    def fit(self, observer: Observer | None = None, save=lambda state: None, start: State | None = None) -> None:
        """Train from `start`, or from the beginning; `save` gets the state after each epoch."""
        self.curves.check(self.model.spec)
        if self.wishes.compile:
            self.model.compile()
        self.model.net = synchronized(self.model.net, self.device)
        batches = self.data.batches(self.config.batch_size, self.config.seed, self.device, self.wishes.workers)

        def keep(state: State) -> None:
            self.last_state = state
            self.history = list(state.history)
            save(state)

        self.last_state = start
        self.history = Trainer(self.model, batches, self.config, observer, self._measure, keep).run(start)

    def _measure(self, model: Classifier, epoch: int, last: bool) -> dict:
        settings = self._settings()
        found = self.curves.measure(model, epoch, last, settings)
        if self.validation:
            found |= selection.validate(model, self.validation, self.config, settings)
        return found

    def _settings(self) -> Settings:
        return Settings(self.device, seed=self.config.seed, amp=self.config.amp)

    def take_over(self, file: CheckpointFile) -> dict:
        """Instead of training, take history and metrics from the checkpoint of this very run; returns the metrics.

        Raises
        ------
        AdvtoolError
            if the checkpoint is not of this run, or of one that was interrupted
        """
        names = ("training", "data", "curves", "seed", "device")
        now = {name: self.resolved().get(name) for name in names}
        before = {name: file.meta.get(name) for name in names}
        history = file.meta.get("history") or []
        now["training"] |= {"epochs_done": len(history)}
        check_same(before, json.loads(json.dumps(now)), file.path)
        if not is_over(history, self.config.epochs):
            raise AdvtoolError(f"{file.path}: holds an interrupted run whose .state is gone; -f starts anew")
        self.history = history
        return file.meta["metrics"]

    def rewind(self) -> None:
        """Go back to what the last whole epoch would have kept, after an interruption."""
        self.model.net.load_state_dict(self.last_state.kept)
        self.history = list(self.last_state.history)

    @property
    def selected(self) -> dict | None:
        """Which epoch is kept, and why."""
        return selection.explain(self.history, self.config)

    def test(self, images: Images, limit: int = 0, progress: Progress = lambda count: None) -> dict:
        """Clean accuracy on all images; robust accuracy, at the radius trained for, on `limit` of them (0: all)."""
        settings = self._settings()
        result = accuracies(self.model, images, [], settings, progress)
        strong = selection.final_adversary(self.config)
        if strong:
            attacked = subset(images, limit or len(images), self.config.seed)
            result["adversarial"] = accuracies(self.model, attacked, [strong], settings, progress)["adversarial"]
        return {"data": {"source": images.name, "split": images.split, "n": len(images)}, **result}

    def to_bytes(self, metrics: dict) -> bytes:
        """The checkpoint. It says nothing of the time it took, so equal runs give equal bytes."""
        resolved = self.resolved()
        del resolved["model"]
        resolved["training"]["epochs_done"] = len(self.history)
        meta = {"history": self.history, "selected": self.selected, "metrics": metrics}
        return checkpoint.to_bytes(self.model, **resolved, **meta)
