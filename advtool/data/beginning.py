"""The first samples of a reader, looked at to know the shape of the images, and whether they are resized."""

import warnings
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, islice
from typing import NamedTuple

from advtool.errors import Note
from advtool.io.head import Head
from advtool.io.readers import Reader
from advtool.io.samples import Sample
from advtool.io.shape import Shape
from advtool.preprocessing import Preprocessing

_LOOKED_AT = 64


class PreprocessingNote(Note):
    """Images were not resized, though the checkpoint says how."""


class Begun(NamedTuple):
    """A reader whose first samples were looked at.

    Attributes
    ----------
    samples : all of them
    head : with the shape that images have in the end
    preprocessing : what makes them so; None if they stay as they are
    """

    samples: Iterator[Sample]
    head: Head
    preprocessing: Preprocessing | None

    @property
    def shape(self) -> Shape:
        """The shape that images have in the end."""
        assert self.head.shape is not None
        return self.head.shape


def needed(shape: Shape | None, preprocessing: Preprocessing | None) -> Preprocessing | None:
    """What is done to images that all have this shape, None if they differ: nothing if the model takes them so."""
    if preprocessing is None or shape is None or shape != preprocessing.unless:
        return preprocessing
    if preprocessing.crop_pct < 1:
        text = f"images have the {shape[1]}×{shape[2]} pixels of the model: not resized, as they would be for a size"
        warnings.warn(text, PreprocessingNote, stacklevel=3)
    return None


def begin(reader: Reader, preprocessing: Preprocessing | None = None) -> Begun:
    """Begin to read, and decide by the head, or else by the first 64 samples, whether images are resized."""
    samples, head = iter(reader), reader.head
    start = list(islice(samples, _LOOKED_AT if preprocessing else 1))
    shapes = [head.shape] if head.shape else [sample.shape() for sample in start]
    one = shapes[0] if len({*shapes}) == 1 else None
    chained = chain(start, samples)
    preprocessing = needed(one, preprocessing)
    if preprocessing is None:
        return Begun(chained, replace(head, shape=shapes[0]), None)
    channels = max(shape[0] for shape in shapes)
    return Begun(chained, replace(head, shape=preprocessing.shape(channels)), preprocessing)
