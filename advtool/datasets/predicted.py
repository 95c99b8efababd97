"""Samples labelled by a model."""

from collections.abc import Iterable, Iterator

from torch import nn

from advtool.attacks.guard import predictions_of
from advtool.data.arrays import SampleChecker
from advtool.datasets.batches import sample_batches
from advtool.datasets.relabelled import RelabelTally, relabelled
from advtool.device import Settings
from advtool.io.samples import Sample
from advtool.prepared import untouched


def predicted_samples(
    samples: Iterable[Sample],
    check: SampleChecker,
    model: nn.Module,
    settings: Settings,
    tally: RelabelTally | None = None,
) -> Iterator[Sample]:
    """Give each sample of a stream the label that the model predicts in float32, a batch at a time.

    Parameters
    ----------
    check : decodes the samples and holds them to the model's shape
    tally : is added up as the stream goes on
    """
    tally = RelabelTally() if tally is None else tally
    with untouched(model):
        for batch in sample_batches(samples, check, settings):
            predictions = predictions_of(model, batch.inputs)
            tally.kept += len(batch)
            tally.changed += int((predictions != batch.labels).sum())
            yield from map(relabelled, batch.samples, predictions.tolist())
