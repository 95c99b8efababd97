"""Images one batch at a time, whichever of them are wanted; the rest stays in memory on the CPU."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from advtool import keyed
from advtool.attacks.guard import predictions_of
from advtool.data.arrays import Images
from advtool.data.batches import Batch, to_float
from advtool.device import Settings
from advtool.prepared import LIKE, Network, plain, prepare

Progress = Callable[[int], None]
"""Called with the number of images that were gone through."""


Live = Callable[[str, int, str, int, int], None]
"""What a `Progress` may have as its ``attack``: called with a threat, number and name of an attack of an ensemble, how
many more images went through it, and how many of these stand."""


def unseen(count: int) -> None:
    """Progress that nobody looks at."""


class Indexed:
    """Batches of images on the device, by their places.

    Attributes
    ----------
    labels : N, on the CPU
    """

    def __init__(self, images: Images, settings: Settings):
        self._pixels, self._settings = images.pixels, settings
        self._ids = keyed.ids_of(images.keys)
        self.labels = torch.tensor(images.labels)

    def __len__(self) -> int:
        return len(self.labels)

    def prepared(self, model: nn.Module) -> Network:
        """The network of a model that is attacked on these images."""
        if not len(self):
            return plain(model)
        _, (x, _, _) = next(self.batches(torch.arange(len(self))[:LIKE]))
        return prepare(model, x, self._settings.amp)

    def batches(self, places: Tensor) -> Iterator[tuple[Tensor, Batch]]:
        """(places of the batch, the batch) over the images at these places."""
        device = self._settings.device
        for part in places.split(self._settings.batch_size) if len(places) else ():
            pixels = torch.from_numpy(self._pixels[part.numpy()]).to(device)
            yield part, (to_float(pixels), self.labels[part].to(device), self._ids[part].to(device))


def predictions(model: nn.Module, images: Indexed, progress: Progress = unseen) -> Tensor:
    """The class that a model in eval mode predicts for each image, in float32: N, on the CPU."""
    found = torch.zeros(len(images), dtype=torch.int64)
    for places, (x, _, _) in images.batches(torch.arange(len(images))):
        found[places] = predictions_of(model, x).cpu()
        progress(len(places))
    return found
