"""What the methods of ``advtool explain`` share: rows, results, and how numbers become reports."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from advtool.data.arrays import Images
from advtool.data.batches import in_order, to_float
from advtool.device import Settings
from advtool.errors import AdvtoolError
from advtool.explain.attribution_shards import Attributions
from advtool.explain.drawing import Cell, Grid, photo
from advtool.explain.measures import mean_and_error
from advtool.io.checkpoints import CheckpointFile
from advtool.models.classifier import Classifier


@dataclass(frozen=True)
class Row:
    """A model with its label."""

    name: str
    file: CheckpointFile
    model: Classifier

    @property
    def facts(self) -> dict:
        return {"checkpoint": {"path": self.file.path, "sha256": self.file.sha256, "arch": self.model.spec.arch}}


@dataclass(frozen=True)
class Made:
    """What a method made: pictures, drawn only when they are wanted, and numbers.

    Attributes
    ----------
    grid : makes the picture
    report : what is particular to the method in the JSON report
    table : title, columns and rows
    frames : makes the pictures of an animation
    attributions : for shards
    """

    grid: Callable[[], Grid]
    report: dict
    table: tuple[str, list[str], list[list[str]]] | None = None
    frames: Callable[[], list[Grid]] | None = None
    attributions: Sequence[Attributions] = ()


@contextmanager
def blaming(file: CheckpointFile) -> Iterator[None]:
    """Say which checkpoint it was whose computation failed."""
    try:
        yield
    except AdvtoolError as error:
        raise type(error)(f"{file.path}: {error}") from None


def batchwise(images: Images, settings: Settings, advance, compute: Callable[..., Sequence[Tensor]]) -> list[Tensor]:
    """Apply `compute`, of pixels, labels and ids, to the images in batches; its results concatenated, on the CPU."""
    parts = []
    for batch in in_order(images, settings.batch_size, settings.device):
        parts.append([result.cpu() for result in compute(*batch)])
        advance(len(batch[0]))
    return [torch.cat(column) for column in zip(*parts, strict=True)]


def floats(images: Images) -> np.ndarray:
    """The pixels in [0, 1], float32."""
    return to_float(torch.from_numpy(np.ascontiguousarray(images.pixels))).numpy()


def originals(images: Images, columns: int) -> tuple[str, list[Cell]]:
    """The row of the images themselves."""
    return "image", [Cell(photo(pixels)) for pixels in floats(images.take(np.arange(min(columns, len(images)))))]


def class_names(images: Images, labels: Sequence[int] | None = None) -> list[str]:
    """The classes of the images, or of any labels, by name."""
    return [images.head.classes[label] for label in (images.labels if labels is None else labels)]


def summary(values: dict[str, np.ndarray], first: dict[str, np.ndarray] | None = None) -> dict:
    """Mean and standard error of each measure, and of the paired difference to the measures of the first row."""
    found = {"measures": {name: mean_and_error(column) for name, column in values.items()}}
    if first is not None:
        found["versus_first"] = {name: mean_and_error(values[name] - first[name]) for name in values if name in first}
    return found


def records(columns: dict[str, Sequence]) -> list[dict]:
    """One object an image; what is not finite becomes null."""
    return [
        dict(zip(columns, map(_plain, row), strict=True))
        for row in zip(*(list(column) for column in columns.values()), strict=True)
    ]


def shown(measure: dict, digits: int = 3) -> str:
    """A mean with its standard error, for tables."""
    if measure["mean"] is None:
        return "–"
    return f"{measure['mean']:.{digits}f}" + (f" ± {measure['se']:.{digits}f}" if measure["se"] is not None else "")


def _plain(value):
    value = value.item() if isinstance(value, np.generic | Tensor) else value
    return None if isinstance(value, float) and not np.isfinite(value) else value
