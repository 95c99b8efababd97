"""An evaluation of one model that is fed the images, all at once or in parts, and then gives the report."""

import hashlib
import time
import warnings
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from advtool import distributed
from advtool.data.arrays import Images
from advtool.data.matching import ClassMismatch, Matching, match
from advtool.data.subset import subset
from advtool.device import Settings
from advtool.errors import AdvtoolError, Note, UsageError
from advtool.evaluation.batch import Progress, unseen
from advtool.evaluation.counts import Counts, total
from advtool.evaluation.entries import described, plateaus
from advtool.evaluation.expected import drawing, is_random, measure_expected
from advtool.evaluation.flags import IMAGES, red_flags
from advtool.evaluation.measure import measure
from advtool.evaluation.per_sample import PerSampleFile, runs_of
from advtool.evaluation.plan import Evaluation
from advtool.evaluation.saving import Saver
from advtool.evaluation.transfer import attack_of
from advtool.io.atomic import is_special
from advtool.models.classifier import Classifier
from advtool.models.heads import fitted

SCHEMA = 1


@dataclass(frozen=True)
class Subject:
    """A model that is evaluated, and what is said of it.

    Attributes
    ----------
    path, sha256 : of its checkpoint, where it has one
    """

    model: nn.Module
    path: str | None = None
    sha256: str | None = None

    @property
    def arch(self) -> str:
        """Its architecture, or else its type."""
        return self.model.spec.arch if isinstance(self.model, Classifier) else type(self.model).__name__

    def to_json(self) -> dict[str, Any]:
        """What a report says of it."""
        return {"path": self.path, "sha256": self.sha256, "arch": self.arch}

    @property
    def name(self) -> str:
        return self.path or self.arch

    def digest(self) -> str:
        """The checkpoint's SHA-256, or else that of the parameters."""
        if self.sha256 is not None:
            return self.sha256
        hashed = hashlib.sha256()
        for name, value in sorted(self.model.state_dict().items()):
            hashed.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode(errors="surrogatepass"))
            hashed.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
        return hashed.hexdigest()


class Running:
    """What is known of one model so far.

    Parameters
    ----------
    base : classifier that the risks are relative to
    per_sample : JSON lines to write what became of each image to
    checks : look for red flags
    saver : takes the worst image of each sample
    """

    def __init__(
        self,
        plan: Evaluation,
        subject: Subject,
        settings: Settings,
        *,
        base: Subject | None = None,
        per_sample: str | Path | None = None,
        checks: bool = True,
        saver: Saver | None = None,
    ):
        self._saver = saver
        self._plan, self._subject, self._settings = plan, subject, settings
        self._base, self._checks = base, checks
        self._other: nn.Module | None = None
        self._model = subject.model
        self._matching: Matching | None = None
        runs = runs_of(plan, subject.digest(), settings) if per_sample is not None else []
        self._record = PerSampleFile(per_sample, runs) if per_sample is not None else None
        self._unfinished: PerSampleFile | None = None
        if per_sample is not None and len(plan.attacks) > 1 and not is_special(per_sample):
            self._unfinished = PerSampleFile(f"{per_sample}.unfinished", runs)
        self._counts: list[Counts] = []
        self._seconds = 0.0
        self._drawn: Images | None = None
        self._classes = 0
        self._random = self._own = False

    def add(self, images: Images, progress: Progress = unseen, own: bool = False) -> None:
        """Measure some of the images; of several processes each measures its share.

        Parameters
        ----------
        own : these are this process's share already

        Raises
        ------
        AdvtoolError
            if the model does not take the images or know their classes, or its logits are not finite
        """
        started = time.perf_counter()
        if self._drawn is None:
            self._begin(images)
        else:
            self._check(images)
        self._own = own
        self._counts.append(self._measured(images if own else share(images), progress))
        self._seconds += time.perf_counter() - started
        candidates = subset(images, IMAGES, self._settings.seed)
        self._drawn = candidates if self._drawn is None else self._drawn.joined(candidates)
        self._drawn = subset(self._drawn, IMAGES, self._settings.seed)
        self._classes = max(self._classes, images.head.num_classes)

    def report(self) -> dict[str, Any]:
        """The report on all that was added. Where several processes work on it, each of them gets it."""
        started, images, plan = time.perf_counter(), self._drawn, self._plan
        assert images is not None
        made_by = attack_of(images)
        counts = total(distributed.gathered(total(self._counts, in_turn=True)))
        if self._own:
            images = subset(reduce(Images.joined, distributed.gathered(images)), IMAGES, self._settings.seed)
            self._classes = max(distributed.gathered(self._classes))
        if self._unfinished is not None:
            self._unfinished.remove()
        norm = plan.stages[0].ball.name if plan.stages else None
        result = described(counts, plan.lam, self._base.name if self._base else None, plan.title, norm)
        if plan.plateau:
            result["plateau"] = plateaus(result["adversarial"])
        seconds = self._seconds + time.perf_counter() - started
        flags: list[dict[str, str]] = []
        if self._checks and distributed.processes().is_first:
            with drawing(self._settings):
                flags = red_flags(self._model, images, result, plan.attacks, self._settings, self._classes)
        return {
            "schema": SCHEMA,
            "command": "eval",
            "checkpoint": self._subject.to_json(),
            "data": {**data_of(images, counts.n, self._classes, self._matching), "adversarial": made_by},
            **result,
            **self._noise(),
            **({"saved": self._saver.to_json()} if self._saver else {}),
            "flags": flags,
            "seed": self._settings.seed,
            "device": str(self._settings.device),
            "seconds": round(seconds, 3),
            "images_per_second": round(counts.n * plan.passes / seconds, 1),
        }

    def _noise(self) -> dict[str, Any]:
        """What is said of a model that adds noise to its images."""
        noise = self._model.noise if isinstance(self._model, Classifier) else 0.0
        return {"noise": noise, "votes": self._plan.votes} if noise else {}

    def _measured(self, images: Images, progress: Progress) -> Counts:
        if self._random:
            return measure_expected(self._plan, self._model, images, self._settings, progress)
        return measure(
            self._plan,
            self._model,
            images,
            self._settings,
            base=self._other,
            record=self._record,
            unfinished=self._unfinished,
            progress=progress,
            saver=self._saver,
        )

    def _begin(self, images: Images) -> None:
        """Put the logits in the order of the images' classes."""
        self._plan.check(images.head.shape)
        told = f"{images.name} and {self._subject.name}"
        self._model, self._matching = in_order(self._subject, images.head.classes, told)
        if self._base:
            self._other = _base(self._base, self._model, self._subject.name)
        few = self._plan.few(_outputs(self._model, images))
        if few:
            warnings.warn(Note(few), stacklevel=2)
        self._random = is_random(self._model, images, self._settings)
        if self._random:
            self._take_random()

    def _take_random(self) -> None:
        """Plan for a model whose calls differ, and say so."""
        told = f"two calls of {self._subject.name} differ"
        refused = {"base": self._base, "per_sample": self._record, "save_adversarial": self._saver}
        for name, value in refused.items():
            if value is not None:
                raise UsageError(f"is for models whose answers do not change; {told}", name)
        asked, self._plan = self._plan.named, self._plan.for_random()
        if asked != self._plan.named:
            told += f": {self._plan.named} in place of {asked}"
        told_by = "images count by the votes of" if self._plan.votes else "accuracies are expected values, by"
        note = Note(f"{told}; {told_by} {self._plan.calls} calls of each image")
        warnings.warn(note, stacklevel=2)

    def _check(self, images: Images) -> None:
        """Refuse labels beyond the model's classes, of images whose classes have no names."""
        if isinstance(self._model, Classifier):
            match(images.head.classes, self._model.spec.classes)


def data_of(images: Images, n: int, classes: int, matching: Matching | None) -> dict[str, Any]:
    """What a report says of the images that a model was shown.

    Parameters
    ----------
    n, classes : how many there are in all
    matching : how their classes were matched with the model's, if they differ
    """
    return {
        "source": images.name,
        "split": images.split,
        "n": n,
        "classes": classes,
        "matched": matching and matching.to_json(),
        "preprocessing": images.preprocessing and images.preprocessing.to_json(),
    }


def _outputs(model: nn.Module, images: Images) -> int:
    """How many classes the model tells apart, as far as it says so."""
    return len(model.spec.classes) if isinstance(model, Classifier) else images.head.num_classes


def in_order(subject: Subject, classes: tuple[str, ...], told: str) -> tuple[nn.Module, Matching | None]:
    """(the model with its logits in the order of these classes, how they were matched if they differ)."""
    if not isinstance(subject.model, Classifier) or subject.model.spec.classes == classes:
        return subject.model, None
    return fitted(subject.model, classes, told)


def _base(base: Subject, model: nn.Module, name: str) -> nn.Module:
    """The base classifier with the labels of the model, as it is used."""
    if not isinstance(model, Classifier):
        return base.model
    try:
        return in_order(base, model.spec.classes, f"{name} and {base.name}")[0]
    except ClassMismatch as error:
        raise AdvtoolError(f"base {base.name} does not fit {name}: {error}") from None


def share(images: Images) -> Images:
    """This process's part of the images."""
    here = distributed.processes()
    if len(images) < here.world:
        raise AdvtoolError(f"{images.name}: {len(images)} images for {here.world} processes")
    return images if here.world == 1 else images.take(np.arange(here.rank, len(images), here.world))
