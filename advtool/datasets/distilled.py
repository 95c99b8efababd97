"""Distilled images as samples: a stream of images in, a stream of images with the same representation out."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import Tensor

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

    def describe(self) -> str:
        n = max(self.n, 1)
        return f"{self.n:,} images, mean relative distance {self.first / n:.3g} at first, {self.last / n:.3g} at last"


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
    ``start`` (the key of the image that it began as, null for noise), and ``first`` and ``last``, the relative
    distances ‖g(z) − g(x)‖ / ‖g(x)‖.

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
            tally.n += len(batch)
            tally.first += float(first.sum())
            tally.last += float(last.sum())
            rows = zip(batch.samples, found.cpu().numpy(), keys, first.tolist(), last.tolist(), strict=True)
            for sample, image, start, before, after in rows:
                yield _sample(sample, image, {"start": start, "first": before, "last": after})


def _sample(sample: Sample, image: np.ndarray, facts: dict) -> Sample:
    provenance = {**sample.provenance(), "source": sample.key, **facts}
    members = {
        "npy": images.encode_npy(image),
        "cls": sample.members["cls"],
        "json": json.dumps(provenance, sort_keys=True).encode(),
    }
    return Sample(sample.key, members, sample.shard)
