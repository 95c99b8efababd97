"""Adversarial examples as samples: a stream of images in, a stream of perturbed ones out."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from advtool import seeds
from advtool.attacks.guard import predictions_of
from advtool.ball import Ball, per_example
from advtool.data.arrays import SampleChecker
from advtool.data.batches import to_float
from advtool.datasets.batches import sample_batches
from advtool.device import Settings, float64
from advtool.errors import AdvtoolError
from advtool.io import images
from advtool.io.samples import Sample
from advtool.prepared import Network, prepare, untouched
from advtool.registry import Planned

BUDGET_SLACK = 1e-6


@dataclass
class AdversarialTally:
    """Counts of what was made: successes that rounding to 8 bits undid are `lost`; misclassified images were `left`."""

    n: int = 0
    successes: int = 0
    lost: int = 0
    left: int = 0
    distance: float = 0.0

    def describe(self) -> str:
        text = f"{self.n:,} images, {self.successes:,} successes ({100 * self.successes / max(self.n, 1):.1f}%)"
        text += f", mean distance {self.distance / max(self.n, 1):.4g}"
        text += f"; left {self.left:,} alone" if self.left else ""
        return text + (f"; rounding to 8 bits lost {self.lost:,}" if self.lost else "")

    def to_json(self) -> dict[str, Any]:
        found = {"n": self.n, "successes": self.successes, "distance": self.distance / max(self.n, 1)}
        return {**found, "left_alone": self.left, "lost_to_rounding": self.lost}


def adversarial_samples(
    samples: Iterable[Sample],
    check: SampleChecker,
    model: nn.Module,
    attack: Planned,
    settings: Settings,
    tally: AdversarialTally | None = None,
    file_format: str = "float32",
    correct_only: bool = False,
    progress: Callable[[int], None] = lambda count: None,
) -> Iterator[Sample]:
    """Attack a stream of samples, a batch at a time, in constant memory.

    The label stays; in targeted mode it is the target. The ``.json`` member keeps what it held and gains
    ``attack, adv, eps, targeted, seed, original_label, prediction, distance`` (norm of the perturbation as written)
    and ``success`` (in float32, on the image as written).

    Parameters
    ----------
    check : decodes the samples and holds them to the model's shape and classes
    file_format : ``float32`` writes ``.npy``; ``png8`` rounds to 8 bits without leaving the ball
    correct_only : leave images alone that the model misclassifies
    tally : is added up as the stream goes on
    """
    tally = AdversarialTally() if tally is None else tally
    network: Network | None = None
    seed, targeted = seeds.derive(settings.seed, "evaluation"), attack.targeted
    with untouched(model):
        for batch in sample_batches(samples, check, settings):
            if file_format == "png8" and batch.pixels.dtype != torch.uint8:
                raise AdvtoolError(f"{batch.samples[0].shard}: png8 needs 8-bit images, these are float32")
            x, y = batch.inputs, batch.labels
            network = network or prepare(model, x, settings.amp)
            rows = (predictions_of(model, x) == y).nonzero()[:, 0] if correct_only else slice(None)
            adversarial = x.clone()
            if len(x[rows]):
                adversarial[rows] = attack(network, x[rows], y[rows], ids=batch.ids[rows], seed=seed)
            tally.left += len(batch) - len(adversarial[rows])
            if file_format == "png8":
                before = (predictions_of(model, adversarial) == y) == targeted
                adversarial = to_float(rounded(adversarial, x, attack.ball))
            predictions = predictions_of(model, adversarial)
            success = (predictions == y) == targeted
            if file_format == "png8":
                tally.lost += int((before & ~success).sum())
            distance = attack.ball.norm(float64(adversarial) - float64(x))
            tally.n += len(batch)
            tally.successes += int(success.sum())
            tally.distance += float(distance.sum())
            progress(len(batch))
            facts = zip(success.tolist(), predictions.tolist(), distance.tolist(), strict=True)
            for sample, image, (hit, prediction, norm) in zip(
                batch.samples, adversarial.cpu().numpy(), facts, strict=True
            ):
                found = {"success": hit, "prediction": prediction, "distance": norm}
                yield _sample(sample, image, file_format, attack, settings.seed, found)


def rounded(adversarial: Tensor, inputs: Tensor, ball: Ball) -> Tensor:
    """The adversarial images as uint8, within eps of 8-bit `inputs`.

    To the nearest level; where that leaves the ball, each pixel to the next level towards the input.
    """
    levels, start = float64(adversarial) * 255, (float64(inputs) * 255).round()
    nearest = levels.round()
    towards = torch.where(levels > start, (levels + 1e-6).floor(), (levels - 1e-6).ceil())
    outside = ball.norm((nearest - start) / 255) > ball.eps * (1 + BUDGET_SLACK)
    nearest = torch.where(per_example(outside, nearest), towards, nearest)
    return nearest.clamp(0, 255).to(torch.uint8).to(inputs.device)


def _sample(
    sample: Sample, image: np.ndarray, file_format: str, attack: Planned, seed: int, facts: dict[str, Any]
) -> Sample:
    provenance = {
        "original_label": sample.label,
        **sample.provenance(),
        **{name: value for name, value in attack.to_json().items() if name in ("attack", "adv", "eps")},
        "targeted": attack.targeted,
        "seed": seed,
        **facts,
    }
    if file_format == "png8":
        members = {"png": images.encode_png(np.rint(image * 255).astype(np.uint8))}
    else:
        members = {"npy": images.encode_npy(image)}
    members |= {"cls": sample.members["cls"], "json": json.dumps(provenance, sort_keys=True).encode()}
    return Sample(sample.key, members, sample.shard)
