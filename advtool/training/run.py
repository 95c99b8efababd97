"""A training run from start to checkpoint, as ``advtool train`` does it; usable from Python as well."""

from dataclasses import dataclass, field
from functools import cached_property

import torch

from advtool import device as devices
from advtool.data import augment
from advtool.data.arrays import Images
from advtool.data.sources import Source
from advtool.data.subset import subset
from advtool.device import Settings
from advtool.errors import UsageError, unknown
from advtool.evaluation.evaluate import Progress, evaluate
from advtool.io.checkpoints import CheckpointFile
from advtool.models import checkpoint, registry
from advtool.models.classifier import Classifier
from advtool.threat import Threat
from advtool.training import schedule
from advtool.training.config import OPTIMIZERS, TrainConfig, recipe
from advtool.training.loop import Observer, Trainer
from advtool.training.setup import TrainingData, check_init, new_model, read_training_data
from advtool.training.state import State

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
        """Raise UsageError for names that do not exist."""
        if self.arch is not None:
            registry.find(self.arch)
        for name, choices in _CHOICES.items():
            value = self.settings.get(name)
            if value is not None and value not in choices:
                raise unknown(f"--{name}", value, choices)
        if self.size is None and self.settings.get("augment") in augment.RESIZED_CROPS:
            raise UsageError("--augment rrc: say the side of the crops with --size")

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

    Examples
    --------
    >>> run = TrainingRun(resolve("digits"), Wishes(threat=Threat.training("l2", 0.5)), torch.device("cpu"))
    >>> run.fit()
    >>> metrics = run.test(load(resolve("digits", "test")))
    """

    def __init__(self, source: Source, wishes: Wishes, device: torch.device, init: CheckpointFile | None = None):
        wishes.check()
        self.source, self.wishes, self.device, self.init = source, wishes, device, init
        self.history: list[dict] = []
        self.last_state: State | None = None

    @cached_property
    def data(self) -> TrainingData:
        """The training images."""
        budget = devices.memory_budget(self.device, self.wishes.max_memory)
        return read_training_data(self.source, self.wishes.limit, budget, self.wishes.size, self.wishes.random_crop)

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
        defaults = recipe(self.data.head.shape, wishes.epochs, mirrored, wishes.threat is not None)
        if wishes.size:
            defaults["augment"] = "rrc+flip" if mirrored else "rrc"
        settings = defaults | wishes.settings
        if any(drop > settings["epochs"] for drop in settings["lr_drops"]):
            raise UsageError(f"--lr-drops {settings['lr_drops']}: later than the last of {settings['epochs']} epochs")
        amp = devices.use_amp(wishes.amp, self.device)
        return TrainConfig(**settings, threat=wishes.threat, seed=wishes.seed, amp=amp)

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
                "classes": head.num_classes,
                "history": list(head.history),
                "streamed": self.data.streamed,
                **({"size": self.data.size} if self.data.size else {}),
            },
            "seed": self.config.seed,
            "device": str(self.device),
        }

    def fit(self, observer: Observer | None = None, save=lambda state: None, start: State | None = None) -> None:
        """Train from `start`, or from the beginning; `save` gets the state after each epoch."""
        if self.wishes.compile:
            self.model.compile()
        batches = self.data.batches(self.config.batch_size, self.config.seed, self.device, self.wishes.workers)

        def keep(state: State) -> None:
            self.last_state = state
            self.history = list(state.history)
            save(state)

        self.last_state = start
        self.history = Trainer(self.model, batches, self.config, observer, keep).run(start)

    def rewind(self) -> None:
        """Go back to the last whole epoch after an interruption."""
        self.model.net.load_state_dict(self.last_state.model)
        self.history = list(self.last_state.history)

    def test(self, images: Images, limit: int = 0, progress: Progress = lambda count: None) -> dict:
        """Clean accuracy on all images; robust accuracy, at the radius trained for, on `limit` of them (0: all)."""
        settings = Settings(self.device, seed=self.config.seed, amp=self.config.amp)
        result = evaluate(self.model, images, [], settings, progress)
        threat = self.config.threat
        if threat:
            strong = Threat.evaluation(threat.norm, threat.eps, random_start=threat.random_start)
            attacked = subset(images, limit or len(images), self.config.seed)
            result["adversarial"] = evaluate(self.model, attacked, [strong], settings, progress)["adversarial"]
        return {"data": {"source": images.name, "split": images.split, "n": len(images)}, **result}

    def to_bytes(self, metrics: dict) -> bytes:
        """The checkpoint. It says nothing of the time it took, so equal runs give equal bytes."""
        resolved = self.resolved()
        del resolved["model"]
        resolved["training"]["epochs_done"] = len(self.history)
        return checkpoint.to_bytes(self.model, **resolved, history=self.history, metrics=metrics)
