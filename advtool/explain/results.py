"""What the methods of explain share: models with a name, results, and how numbers become reports."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from advtool.data.arrays import Images
from advtool.data.batches import Batch, in_order, to_float
from advtool.device import Settings
from advtool.errors import AdvtoolError, UsageError
from advtool.explain import drawing
from advtool.explain.attribution_shards import Attributions
from advtool.explain.drawing import Cell, Grid, photo
from advtool.explain.measures import mean_and_error
from advtool.io.figures import FORMATS
from advtool.memory import in_halves

Progress = Callable[[int], None]
"""Is called with the number of images done since the last call."""


Columns = dict[str, Sequence | np.ndarray]
"""Facts by name, with one entry per image."""


class ExplainWarning(UserWarning):
    """Some of what was asked for means nothing, or was left out."""


@dataclass(frozen=True)
class Row:
    """A model with its label.

    Attributes
    ----------
    name : of the row
    classes : names of the model's classes, in the order of the logits
    facts : on the model, for the report
    path : of its file, to be named in errors
    """

    name: str
    model: nn.Module
    classes: tuple[str, ...]
    facts: dict
    path: str

    def class_name(self, label: int) -> str:
        """The name of a class; its label where it has none."""
        return self.classes[label] if label < len(self.classes) else str(label)


@dataclass(frozen=True)
class Result:
    """What a method made: pictures, drawn only when they are wanted, and numbers.

    Attributes
    ----------
    grid : makes the picture
    report : what is particular to the method in the JSON report
    table : title, columns and rows
    frames : makes the pictures of an animation
    attributions : one for each row, for shards
    """

    grid: Callable[[], Grid]
    report: dict
    table: tuple[str, list[str], list[list[str]]] | None = None
    frames: Callable[[], list[Grid]] | None = None
    attributions: Sequence[Attributions] = ()

    def picture(self, file_format: str = "png") -> bytes:
        """The grid as a file of one of `io.figures.FORMATS`, or the frames as a ``gif``.

        Raises
        ------
        UsageError
            if there are no frames, or no such format
        """
        if file_format == "gif" and self.frames is not None:
            return drawing.to_gif(self.frames())
        if file_format not in FORMATS:
            raise UsageError(f"there is no {file_format} of this, but {', '.join(FORMATS)}")
        return drawing.to_bytes(self.grid(), file_format)


@contextmanager
def blaming(path: str) -> Iterator[None]:
    """Say which model it was whose computation failed."""
    try:
        yield
    except AdvtoolError as error:
        raise type(error)(f"{path}: {error}") from None


def batchwise(
    images: Images,
    settings: Settings,
    progress: Progress,
    compute: Callable[[Tensor, Tensor, Tensor], Sequence[Tensor]],
) -> list[Tensor]:
    """Apply `compute`, of pixels, labels and ids, to the images in batches; its results concatenated, on the CPU."""
    parts = []
    for batch in in_order(images, settings.batch_size, settings.device):
        parts += in_halves(partial(_computed, compute, batch), len(batch[0]))
        progress(len(batch[0]))
    return [torch.cat(column) for column in zip(*parts, strict=True)]


def _computed(compute: Callable[[Tensor, Tensor, Tensor], Sequence[Tensor]], batch: Batch, part: slice) -> list[Tensor]:
    x, y, ids = batch
    return [result.cpu() for result in compute(x[part], y[part], ids[part])]


def floats(images: Images) -> np.ndarray:
    """The pixels in [0, 1], float32."""
    return to_float(torch.from_numpy(np.ascontiguousarray(images.pixels))).numpy()


def originals(images: Images, columns: int) -> tuple[str, list[Cell]]:
    """The row of the images themselves."""
    return "image", [Cell(photo(pixels)) for pixels in floats(images.take(np.arange(min(columns, len(images)))))]


def class_names(images: Images) -> list[str]:
    """The class of each image by name."""
    return [images.head.classes[label] for label in images.labels]


def summary(values: Mapping[str, np.ndarray], first: Mapping[str, np.ndarray] | None = None) -> dict:
    """Mean and standard error of each measure, and of the paired difference to the measures of the first row."""
    found = {"measures": {name: mean_and_error(column) for name, column in values.items()}}
    if first is not None:
        found["versus_first"] = {name: mean_and_error(values[name] - first[name]) for name in values if name in first}
    return found


def records(columns: Columns) -> list[dict]:
    """One object per image; what is not finite becomes null."""
    return [
        dict(zip(columns, map(_plain, row), strict=True))
        for row in zip(*(list(column) for column in columns.values()), strict=True)
    ]


def shown(measure: dict, digits: int = 3) -> str:
    """A mean with its standard error, for tables."""
    if measure["mean"] is None:
        return "–"
    return f"{measure['mean']:.{digits}f}" + (f" ± {measure['se']:.{digits}f}" if measure["se"] is not None else "")


def _plain(value: object) -> object:
    value = value.item() if isinstance(value, np.generic | Tensor) else value
    return None if isinstance(value, float) and not np.isfinite(value) else value
