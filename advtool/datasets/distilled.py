"""Distilled images as samples: a stream of images in, a stream of images with the same representation out."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import Tensor

from advtool.ball import L2
from advtool.data.arrays import SampleChecker
from advtool.datasets.batches import sample_batches
from advtool.datasets.distill import distill
from advtool.datasets.representation import representation
from advtool.datasets.starts import Starts
from advtool.device import Settings
from advtool.io import images
from advtool.io.samples import Sample
from advtool.memory import in_halves
from advtool.models.classifier import Classifier
from advtool.prepared import Network, prepare, untouched

LARGE_IMAGE = 64
STEPS_FROM_NOISE = 10_000
CAME_BACK = 0.25
"""Of the way from start to source: an image that is nearer to its source than this share of it is that again."""
FACTS = ("start", "first", "last", "l2_source", "l2_start")
"""What is recorded of each image."""


@dataclass(frozen=True)
class Recipe:
    """How to distil: see `distill.distill` and `representation.representation`."""

    steps: int
    step_size: float
    tol: float | None = None
    layer: str | None = None

    def to_json(self) -> dict:
        return asdict(self)


def default_recipe(shape: tuple[int, int, int], from_noise: bool) -> tuple[int, float]:
    """(steps, step size) of Ilyas et al. 2019, appendix C: 1,000 of 0.1 up to 64 pixels, else 2,000 of 1.

    From noise it is 10,000 steps.
    """
    steps, step_size = (1000, 0.1) if max(shape[1:]) <= LARGE_IMAGE else (2000, 1.0)
    return (STEPS_FROM_NOISE if from_noise else steps), step_size


@dataclass
class DistilledTally:
    """What was made so far."""

    n: int = 0
    first: float = 0.0
    last: float = 0.0
    l2_start: float = 0.0
    l2_source: float = 0.0
    began: float = 0.0

    def add(self, source: Tensor, start: Tensor, found: Tensor, first: Tensor, last: Tensor) -> tuple[Tensor, Tensor]:
        """Count a batch of images N×C×H×W; returns the l2 distances of what was found to source and start, N each."""
        to_source, to_start = (L2().norm(found - other) for other in (source, start))
        self.n += len(found)
        for name, values in (("first", first), ("last", last), ("l2_source", to_source), ("l2_start", to_start)):
            setattr(self, name, getattr(self, name) + float(values.sum()))
        self.began += float(L2().norm(start - source).sum())
        return to_source, to_start

    @property
    def came_back(self) -> bool:
        """Whether the images are nearly those that they should only have the representation of."""
        return self.n > 0 and self.l2_source < CAME_BACK * self.began

    def means(self) -> dict[str, float]:
        """Over the images: relative distances at first and at last, l2 distances to source and start."""
        return {name: getattr(self, name) / max(self.n, 1) for name in ("first", "last", "l2_source", "l2_start")}

    def describe(self) -> str:
        found = self.means()
        text = f"{self.n:,} images, mean relative distance {found['first']:.3g} at first, {found['last']:.3g} at last"
        return (
            text + f"; {found['l2_source']:.3g} from their sources and {found['l2_start']:.3g} from their starts in l2"
        )


def distilled_samples(
    samples: Iterable[Sample],
    check: SampleChecker,
    model: Classifier,
    starts: Starts,
    recipe: Recipe,
    settings: Settings,
    tally: DistilledTally | None = None,
    progress: Callable[[float, float], None] = lambda count, distance: None,
) -> Iterator[Sample]:
    """Distil a stream of samples, a batch at a time, in constant memory.

    The label stays. The ``.json`` member keeps what it held and gains ``source`` (the key of the sample itself),
    ``start`` (the key of the image that it began as, null for noise), ``first`` and ``last``, the relative distances
    ‖g(z) − g(x)‖ / ‖g(x)‖, and ``l2_source`` and ``l2_start``, those of the image to both in l2.

    Parameters
    ----------
    check : decodes the samples and holds them to the model's shape
    tally : is added up as the stream goes on
    progress : is called with the number of images' worth of work done since, and the batch's mean relative distance
    """
    tally = DistilledTally() if tally is None else tally
    network: Network | None = None
    with untouched(model), representation(model, recipe.layer) as represent:
        for batch in sample_batches(samples, check, settings):
            begun, keys = starts(batch.keys)
            if network is None:
                network = prepare(model, batch.inputs, settings.amp, part=represent, layer=recipe.layer or "")

            def distilled(
                part: slice, x: Tensor = batch.inputs, begun: Tensor = begun, network: Network = network
            ) -> tuple[Tensor, ...]:
                work = (part.stop - part.start) / max(recipe.steps, 1)

                def advance(steps: int, running: int, distance: float) -> None:
                    progress(steps * work, distance)

                how = (recipe.steps, recipe.step_size, recipe.tol, network, advance)
                return distill(represent, x[part], begun[part].to(settings.device), *how)

            found, first, last = map(torch.cat, zip(*in_halves(distilled, len(batch)), strict=True))
            distances = tally.add(batch.inputs, begun.to(settings.device), found, first, last)
            facts = zip(keys, *(values.tolist() for values in (first, last, *distances)), strict=True)
            for sample, image, fact in zip(batch.samples, found.cpu().numpy(), facts, strict=True):
                yield _sample(sample, image, dict(zip(FACTS, fact, strict=True)))


def _sample(sample: Sample, image: np.ndarray, facts: dict) -> Sample:
    provenance = {**sample.provenance(), "source": sample.key, **facts}
    members = {
        "npy": images.encode_npy(image),
        "cls": sample.members["cls"],
        "json": json.dumps(provenance, sort_keys=True).encode(),
    }
    return Sample(sample.key, members, sample.shard)
