"""A training run from start to checkpoint, as ``advtool train`` does it; usable from Python as well."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property

import numpy as np
import torch

from advtool import device as devices
from advtool.data.arrays import Images
from advtool.data.catalogue import is_mirrored, training_of
from advtool.data.sources import Source
from advtool.data.subset import subset
from advtool.device import Settings
from advtool.errors import AdvtoolError, UsageError
from advtool.evaluation.batch import Progress
from advtool.evaluation.measure import accuracies
from advtool.io.checkpoints import CheckpointFile
from advtool.models import checkpoint, registry
from advtool.models.classifier import Classifier
from advtool.training import config as configuration
from advtool.training import selection
from advtool.training.config import TrainConfig
from advtool.training.curves import Curves
from advtool.training.loop import Observer, Silent, Trainer
from advtool.training.options import Training
from advtool.training.parallel import synchronized
from advtool.training.setup import (
    TrainingData,
    check_batches,
    hold_out,
    new_model,
    read_training_data,
    resizing,
    start_from,
)
from advtool.training.state import State
from advtool.training.watched import fitted, matched
from advtool.training.within import Stop


class TrainingRun:
    """Reads the data, resolves every setting, trains, evaluates, and makes the checkpoint.

    Parameters
    ----------
    source : of the training images
    device : to compute on
    init : checkpoint to start from; None for random weights
    curves : sets of images to measure accuracy on as training goes on
    images : the images to train on and those held out, if they have been read already

    Examples
    --------
    >>> run = TrainingRun(resolve("digits"), Training(adv="l2", eps=0.5), torch.device("cpu"))
    >>> run.fit()
    >>> metrics = run.test(load(resolve("digits", "test")))
    """

    def __init__(
        self,
        source: Source,
        asked: Training,
        device: torch.device,
        init: CheckpointFile | None = None,
        curves: Curves | None = None,
        images: tuple[TrainingData, Images | None] | None = None,
    ):
        asked.validate()
        if asked.arch is not None:
            registry.find(asked.arch)
        self.source, self.asked, self.device, self.init = source, asked, device, init
        self._watched = curves or Curves()
        self.history: list[dict] = []
        self.extended: tuple[dict, ...] = ()
        self.taken_over = False
        self.last_state: State | None = None
        self._read = images

    @cached_property
    def _parts(self) -> tuple[TrainingData, Images | None]:
        """(the images to train on, those held out for validation)."""
        if self._read is not None:
            return self._read
        asked = self.asked
        budget = devices.memory_budget(self.device, asked.max_memory)
        data = read_training_data(self.source, asked.limit, budget, asked.size, asked.random_crop)
        return hold_out(data, asked.val, budget) if asked.val else (data, None)

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
        asked, args = self.asked, self.asked.arch_args()
        if self.init is None:
            wanted = training_of(self.data.head.source)
            arch = asked.arch or wanted.get("arch")
            if arch == wanted.get("arch") and "hidden" in wanted:
                args = {"hidden": list(wanted["hidden"]), **args}
            model = new_model(self.data.images, arch, args, asked.seed, asked.top_pixels)
        else:
            if asked.top_pixels:
                raise UsageError(
                    "chooses for a new model; the one that it starts from sees what it did before", "top_pixels"
                )
            model, own = checkpoint.restore(self.init), "imported" not in self.init.meta
            model = start_from(model, self.data.images, asked.arch, args, asked.seed, own)
        replace(asked, arch=model.spec.arch).validate()
        return registry.laid_out(model).to(self.device)

    @cached_property
    def curves(self) -> Curves:
        """The sets to watch, with the model's labels; those that it does not take, or know, are refused."""
        return self._watched.fitted(self.model.spec)

    @cached_property
    def config(self) -> TrainConfig:
        """Every training setting."""
        head, amp = self.data.head, devices.use_amp(self.asked.amp, self.device)
        wanted = training_of(head.source)
        return configuration.resolve(self.asked, head.shape, is_mirrored(head.source), amp, wanted)

    @property
    def passes(self) -> int:
        """Passes over the data; `free` makes several of them in an epoch."""
        return configuration.passes(self.asked, self.data.head.shape, training_of(self.data.head.source))

    def with_seed(self, seed: int) -> "TrainingRun":
        """The same run, of the same images, with another seed."""
        asked = replace(self.asked, seed=seed)
        return TrainingRun(self.source, asked, self.device, self.init, self._watched, self._parts)

    def resolved(self) -> dict:
        """The whole configuration: what the checkpoint and the state of the run record."""
        head = self.data.head
        return {
            "model": self.model.spec.to_json(),
            "training": {
                **self.config.to_json(),
                "init": self.init.sha256 if self.init else None,
                **({"extended": [*self.extended]} if self.extended else {}),
            },
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
            **({"preprocessing": made.to_json()} if (made := resizing(self.data.size)) else {}),
            "seed": self.config.seed,
            "device": str(self.device),
        }

    def fingerprint(self) -> str:
        """Of the images that are trained on and of those held out: keys, labels, pixels; the first, if streamed."""
        hashed = hashlib.sha256()
        for images in filter(None, (self.data.images, self.validation)):
            about = json.dumps([images.keys, images.labels.tolist(), str(images.pixels.dtype), images.pixels.shape])
            hashed.update(about.encode())
            hashed.update(np.ascontiguousarray(images.pixels).data)
        return hashed.hexdigest()[:32]

    def fit(
        self,
        observer: Observer | None = None,
        save: Callable[[State], None] = lambda state: None,
        start: State | None = None,
        save_every: int = 0,
        stop: Stop | None = None,
    ) -> None:
        """Train from `start`, or from the beginning.

        Parameters
        ----------
        save : gets the state after each epoch, and after every `save_every` batches of it, if that is not 0
        stop : by which the run can be asked to save its state and raise `Stopped`
        """
        watched = self.curves  # refused before the first epoch if they do not fit
        if self.config.epochs:
            check_batches(self.model, self.data.n, self.config.batch_size)
        if self.asked.compile:
            self.model.compile()
        self.model.net = synchronized(self.model.net, self.device)
        batches = self.data.batches(self.config.batch_size, self.config.seed, self.device, self.asked.workers)

        def measure(model: Classifier, epoch: int, last: bool) -> dict:
            return self._measure(model, watched, epoch, last)

        def keep(state: State) -> None:
            if state.within is None:
                self.last_state = state
                self.history = list(state.history)
            save(state)

        self.last_state, self.extended = start if start and start.history else None, start.extended if start else ()
        watching = observer or Silent()
        trainer = Trainer(self.model, batches, self.config, watching, measure, keep, save_every=save_every)
        trainer.stop = stop or trainer.stop
        self.history = trainer.run(start)

    def _measure(self, model: Classifier, curves: Curves, epoch: int, last: bool) -> dict:
        settings = self._settings()
        found = curves.measure(model, epoch, last, settings)
        if self.validation:
            found |= selection.validate(model, self.validation, self.config, settings)
        return found

    def _settings(self) -> Settings:
        return Settings(self.device, seed=self.config.seed, amp=self.config.amp)

    def rewind(self) -> None:
        """Go back to what the last whole epoch would have kept, after an interruption.

        Raises
        ------
        AdvtoolError
            if there was no whole epoch
        """
        if self.last_state is None:
            raise AdvtoolError("no epoch is done that one could go back to")
        self.model.net.load_state_dict(self.last_state.kept)
        self.history = list(self.last_state.history)

    @property
    def selected(self) -> dict | None:
        """Which epoch is kept, and why."""
        return selection.explain(self.history, self.config)

    def test(self, images: Images, limit: int = 0, progress: Progress = lambda count: None) -> dict:
        """Clean accuracy on all images; robust accuracy, at the radius trained for, on `limit` of them (0: all)."""
        settings, images = self._settings(), fitted(images, self.model.spec, "the test split")
        result = accuracies(self.model, images, [], settings, progress)
        strong = selection.final_adversaries(self.config)
        if strong:
            attacked = subset(images, limit or len(images), self.config.seed)
            found = accuracies(self.model, attacked, strong, settings, progress)
            result |= {name: found[name] for name in ("adversarial", "union") if name in found}
        described = {"source": images.name, "split": images.split, "n": len(images), **matched(images)}
        return {"data": described, **result}

    def to_bytes(self, metrics: dict) -> bytes:
        """The checkpoint. It says nothing of the time it took, so equal runs give equal bytes."""
        resolved = self.resolved()
        del resolved["model"]
        resolved["training"]["epochs_done"] = len(self.history)
        meta = {"history": self.history, "selected": self.selected, "metrics": metrics}
        return checkpoint.to_bytes(self.model, **resolved, **meta)
