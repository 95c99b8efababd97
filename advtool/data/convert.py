"""Any source as a stream of samples that can be written as shards."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from advtool.data.classes import counted
from advtool.data.sources import Source
from advtool.errors import AdvtoolError
from advtool.io import images
from advtool.io.head import Head
from advtool.io.samples import Sample
from advtool.io.shape import Shape
from advtool.io.stored import stored

_LOOKED_AT = 64


@dataclass(frozen=True)
class Conversion:
    """Samples to write, and the head that goes before them."""

    head: Head
    samples: Iterator[Sample]


def convert(source: Source, command: str, limit: int | None = None, size: int | None = None) -> Conversion:
    """Read a source for writing.

    Images pass as they are, byte for byte, unless they are resized or of a format that shards do not hold. Members that
    are no part of a sample are left out. Where the source does not say how many classes it has and can be read twice,
    they are counted first.

    Parameters
    ----------
    command : what to add to the history
    size : scale the shorter side to this and crop the centre square; 8-bit images only
    """
    reader = source.open()
    head = counted(reader.head, source, limit)
    samples = iter(reader)
    start = list(islice(samples, _LOOKED_AT if size else 1))
    channels = head.shape[0] if head.shape else max(sample.shape()[0] for sample in start)
    resized: Shape | None = (channels, size, size) if size else None
    origin = head.source or source.name
    head = head.after(command, shape=resized or head.shape, split=head.split or source.split, source=origin)
    chained = islice(itertools.chain(start, samples), limit)
    return Conversion(head, stored(_plain(sample, resized) for sample in chained))


def _plain(sample: Sample, resized: Shape | None) -> Sample:
    extension = sample.extension
    _ = sample.label
    data = sample.members[extension]
    if resized:
        if extension == images.FLOAT:
            raise AdvtoolError(f"{sample.shard}: sample '{sample.key}': float images are not resized")
        channels, side, _ = resized
        pixels = sample.pixels()
        if len(pixels) == 1 and channels == 3:
            pixels = np.repeat(pixels, 3, axis=0)
        if len(pixels) != channels:
            raise sample.fault("is a colour image, but those before it are grey")
        extension, data = "png", images.encode_png(images.resize(pixels, side))
    members = {extension: data, "cls": sample.members["cls"]}
    if "json" in sample.members:
        members["json"] = sample.members["json"]
    return replace(sample, members=members)
