"""What is in a source: counts, shapes, formats, faults."""

from collections import Counter
from dataclasses import asdict, dataclass

from advtool.data import patterns
from advtool.data.checker import SampleChecker
from advtool.data.sources import Source
from advtool.data.watching import watched
from advtool.errors import AdvtoolError
from advtool.io import images
from advtool.io.shape import Shape


@dataclass(frozen=True)
class Summary:
    """One part of a source.

    Attributes
    ----------
    n : number of samples
    shape : (C, H, W), None where images differ in size
    formats : of the images, by their content → count
    class_counts : samples per class, in the order of the labels
    classes : class names
    history : commands that made it
    layout : how the parts of the source were found
    patterns : of images made from ``patterns``, how much of those is left in them
    """

    source: str
    split: str | None
    n: int
    shape: Shape | None
    formats: dict[str, int]
    num_classes: int
    class_counts: list[int]
    classes: tuple[str, ...]
    origin: str | None
    history: tuple[str, ...]
    layout: str | None = None
    patterns: dict[str, dict[str, float]] | None = None

    def to_json(self) -> dict:
        shown = asdict(self)
        if self.patterns is None:
            del shown["patterns"]
        return shown


def summarize(source: Source, limit: int | None = None) -> Summary:
    """Read a source through and count; images are not decoded beyond their headers, but for those of ``patterns``."""
    formats: Counter[str] = Counter()
    labels: Counter[int] = Counter()
    shapes: set[Shape] = set()
    n = 0
    with source.open() as reader:
        kept = patterns.Kept() if patterns.made(reader.head) else None
        for sample in watched("looking at images", reader, reader, limit):
            n += 1
            formats[images.kind(sample.members[sample.extension], sample.extension)] += 1
            labels[sample.label] += 1
            if len(shapes) < 2:
                shapes.add(sample.shape())
            if kept:
                kept.add(sample.pixels(), sample.label)
        head = reader.head.with_classes(max(labels))
    classes = head.classes or ()
    return Summary(
        source=source.name,
        split=head.split or source.split,
        n=n,
        shape=shapes.pop() if len(shapes) == 1 else None,
        formats=dict(formats),
        num_classes=len(classes),
        class_counts=[labels[label] for label in range(max(len(classes), max(labels) + 1))],
        classes=classes,
        origin=head.source,
        history=head.history,
        layout=source.layout,
        patterns=kept.to_json() if kept else None,
    )


@dataclass(frozen=True)
class Verification:
    """Result of reading everything: samples that were good before the first fault, and the fault."""

    good: int
    fault: str | None


def verify(source: Source, limit: int | None = None) -> Verification:
    """Read and decode every sample up to the first fault.

    Images must agree in shape, unless a head member says that they differ.
    """
    good = 0
    try:
        with source.open() as reader:
            sizes_differ = reader.head.num_classes is not None and reader.head.shape is None
            check = SampleChecker(reader.head, sizes_differ)
            for sample in watched("verifying images", reader, reader, limit):
                check(sample)
                good += 1
    except AdvtoolError as error:
        return Verification(good, str(error))
    return Verification(good, None)
