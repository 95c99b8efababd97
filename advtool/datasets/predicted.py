"""Samples labelled by a model."""

from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np
import torch
from torch import nn

from advtool.attacks.guard import logits_of, untouched
from advtool.data.arrays import SampleChecker
from advtool.data.batches import to_float
from advtool.datasets.relabel import Tally, relabelled
from advtool.device import Settings
from advtool.io.samples import Sample


def predicted_samples(
    samples: Iterable[Sample], check: SampleChecker, model: nn.Module, settings: Settings, tally: Tally
) -> Iterator[Sample]:
    """Give each sample of a stream the label that the model predicts, a batch at a time.

    Parameters
    ----------
    check : decodes the samples and holds them to the model's shape
    tally : is added up as the stream goes on
    """
    stream = iter(samples)
    with untouched(model), torch.no_grad():
        while batch := list(islice(stream, settings.batch_size)):
            decoded = [check(sample) for sample in batch]
            pixels = torch.from_numpy(np.stack([image for image, _ in decoded])).to(settings.device)
            labels = logits_of(model, to_float(pixels), settings.amp).argmax(1).tolist()
            tally.kept += len(batch)
            tally.changed += sum(new != old for new, (_, old) in zip(labels, decoded, strict=True))
            yield from map(relabelled, batch, labels)
