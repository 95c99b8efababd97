"""Certified accuracy against linf perturbations of small networks, without noise and without chance."""

import time
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from advtool.certification.relaxation import Box, largest_logit, layers_of, least_margins
from advtool.certification.report import SCHEMA
from advtool.certification.votes import LEAD
from advtool.data.arrays import Images
from advtool.data.batches import to_float
from advtool.data.matching import Matching
from advtool.device import Settings
from advtool.errors import AdvtoolError
from advtool.evaluation.batch import Indexed, Progress, predictions, unseen
from advtool.evaluation.running import Subject, data_of, in_order
from advtool.evaluation.statistics import accuracy
from advtool.models.classifier import Classifier
from advtool.prepared import untouched

METHOD = "crown"
GUARANTEE = (
    "without a chance of error, the right class has the largest logit at every image within the radius given and within"
    " [0, 1]: by more than 1e-5 of the largest logit, which leaves room for the rounding of float32"
)


class Bounding:
    """What is certified of one model so far.

    Parameters
    ----------
    eps : linf radii on the [0, 1] pixel scale
    """

    def __init__(self, subject: Subject, eps: Sequence[float], settings: Settings):
        self._subject, self._eps, self._settings = subject, sorted({*eps}), settings
        self._counts: list[int] = []
        self._images: Images | None = None
        self._matching: Matching | None = None
        self._model: nn.Module = subject.model
        self._seconds, self._classes, self._clean = 0.0, 0, 0

    def add(self, images: Images, progress: Progress = unseen) -> None:
        """Bound the logits around some of the images.

        Raises
        ------
        AdvtoolError
            if the model is no network that bounds are for, or does not know the classes of the images
        """
        started = time.perf_counter()
        if self._images is None:
            told = f"{images.name} and {self._subject.name}"
            self._model, self._matching = in_order(self._subject, images.head.classes, told)
        self._images, self._classes = images, max(self._classes, images.head.num_classes)
        model = self._model
        if not isinstance(model, Classifier):
            raise AdvtoolError("bounds are for models that advtool.load returns")
        layers = layers_of(model.net, model.spec.shape)
        mean, std = (part.detach().cpu().double()[0] for part in (model.mean, model.std))
        mask = torch.ones(()) if model.mask is None else model.mask.detach().cpu().double()[0]
        with untouched(model), torch.inference_mode():
            indexed = Indexed(images, self._settings)
            self._clean += int((predictions(model, indexed) == indexed.labels).sum())
        for pixels, label in zip(images.pixels, images.labels.tolist(), strict=True):
            x, count = to_float(torch.from_numpy(pixels)).double(), 0
            for eps in self._eps:
                low, high = (((x + sign * eps).clamp(0, 1) - mean) / std * mask for sign in (-1, 1))
                margin = least_margins(layers, Box(low, high), label).min()
                if margin <= LEAD * largest_logit(layers, (low + high) / 2):
                    break
                count += 1
            self._counts.append(count)
            progress(1)
        self._seconds += time.perf_counter() - started

    def report(self) -> dict[str, Any]:
        """The report on all that was added."""
        images, n, subject = self._images, len(self._counts), self._subject
        assert images is not None
        return {
            "schema": SCHEMA,
            "command": "certify",
            "checkpoint": subject.to_json(),
            "data": data_of(images, n, self._classes, self._matching),
            "adv": "linf",
            "method": METHOD,
            "guarantee": GUARANTEE,
            "clean": accuracy(self._clean, n),
            "certified": [
                {"radius": eps, **accuracy(sum(count > number for count in self._counts), n)}
                for number, eps in enumerate(self._eps)
            ],
            "seconds": round(self._seconds, 3),
            "images_per_second": round(n / self._seconds, 3) if self._seconds else None,
        }
