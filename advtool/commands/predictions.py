"""Labels as a checkpoint predicts them: the one way of ``advtool relabel`` that needs torch."""

from collections.abc import Iterable
from dataclasses import replace

from advtool import device as devices
from advtool.cli import console
from advtool.cli.relabel import Relabel
from advtool.commands.checkpoints import check_size, fit, open_checkpoint, preprocessing_of
from advtool.data.arrays import SampleChecker
from advtool.data.beginning import needed
from advtool.datasets.predicted import predicted_samples
from advtool.datasets.relabelled import Relabelled, RelabelTally
from advtool.io.head import LabelledHead
from advtool.io.samples import Sample
from advtool.memory import images_at_a_time
from advtool.models.checkpoint import restore


def predicted(
    options: Relabel, head: LabelledHead, samples: Iterable[Sample], name: str, tally: RelabelTally
) -> Relabelled:
    """The samples of the source called `name` with the labels that the checkpoint predicts."""
    device, reason = devices.choose(options.device)
    file, _ = open_checkpoint(options.predict, name, options)
    model = restore(file).to(device)
    preprocessing = needed(head.shape, preprocessing_of(file, model))
    shape = preprocessing.shape(model.spec.shape[0]) if preprocessing else head.shape or model.spec.shape
    check_size(model, shape, name, file)
    model = fit(model, head, name, file)
    console.detail(f"device: {reason}")
    settings = devices.Settings(device, options.batch_size or images_at_a_time(model.spec.shape))
    check = SampleChecker(replace(head, shape=shape), preprocessing=preprocessing)
    record = {"rule": "predict", "checkpoint": {"sha256": file.sha256, "arch": model.spec.arch}}
    return Relabelled(model.spec.classes, record, predicted_samples(samples, check, model, settings, tally))
