"""A stream of samples as batches on the device, in constant memory."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from advtool import keyed
from advtool.data.arrays import SampleChecker
from advtool.data.batches import to_float
from advtool.device import Settings
from advtool.io.samples import Sample


@dataclass(frozen=True)
class SampleBatch:
    """Some samples, decoded.

    Attributes
    ----------
    pixels : uint8 or float32 in [0, 1], N×C×H×W, on the device
    labels : int64, N, on the device
    """

    samples: list[Sample]
    pixels: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def inputs(self) -> Tensor:
        """The pixels in [0, 1], float32."""
        return to_float(self.pixels)

    @property
    def keys(self) -> list[str]:
        return [sample.key for sample in self.samples]

    @property
    def ids(self) -> Tensor:
        """What the randomness of each sample is keyed by, on the device: N."""
        return keyed.ids_of(self.keys).to(self.pixels.device)


def sample_batches(samples: Iterable[Sample], check: SampleChecker, settings: Settings) -> Iterator[SampleBatch]:
    """The samples of a stream in their order, `settings.batch_size` at a time.

    Parameters
    ----------
    check : decodes the samples, and raises AdvtoolError for one that does not fit those before it or the head
    """
    stream = iter(samples)
    while batch := list(islice(stream, settings.batch_size)):
        decoded = [check(sample) for sample in batch]
        pixels = torch.from_numpy(np.stack([image for image, _ in decoded])).to(settings.device)
        labels = torch.tensor([label for _, label in decoded], device=settings.device)
        yield SampleBatch(batch, pixels, labels)
