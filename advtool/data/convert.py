"""Any source as a stream of samples that can be written as shards."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from advtool.data.beginning import begin
from advtool.data.checker import SampleChecker
from advtool.data.classes import counted
from advtool.data.sources import Source
from advtool.data.watching import watched
from advtool.io import images
from advtool.io.head import Head
from advtool.io.samples import Sample
from advtool.io.stored import stored
from advtool.preprocessing import Preprocessing


@dataclass(frozen=True)
class Conversion:
    """Samples to write, and the head that goes before them."""

    head: Head
    samples: Iterator[Sample]


def convert(
    source: Source, command: str, limit: int | None = None, preprocessing: Preprocessing | None = None
) -> Conversion:
    """Read a source for writing.

    Images pass as they are, byte for byte, unless they are resized or of a format that shards do not hold. Members that
    are no part of a sample are left out. Where the source does not say how many classes it has and can be read twice,
    they are counted first.

    Parameters
    ----------
    command : what to add to the history
    preprocessing : how to resize 8-bit images
    """
    reader = source.open()
    head = counted(reader.head, source, limit)
    begun = begin(reader, preprocessing)
    resized = begun.shape if begun.preprocessing else head.shape
    origin = head.source or source.name
    head = head.after(command, shape=resized, split=head.split or source.split, source=origin)
    check = SampleChecker(head, preprocessing=begun.preprocessing) if begun.preprocessing else None
    samples = watched("converting", begun.samples, reader, limit)
    return Conversion(head, stored(_plain(sample, check) for sample in samples))


def _plain(sample: Sample, resized: SampleChecker | None) -> Sample:
    extension = sample.extension
    _ = sample.label
    data = sample.members[extension]
    if resized:
        extension, data = "png", images.encode_png(resized(sample)[0])
    members = {extension: data, "cls": sample.members["cls"]}
    if "json" in sample.members:
        members["json"] = sample.members["json"]
    return replace(sample, members=members)
