"""How many classes a source has, where it does not say so itself."""

from advtool.data.sources import Source
from advtool.data.watching import watched
from advtool.errors import UsageError
from advtool.io.head import Head, LabelledHead


def counted(head: Head, source: Source, limit: int | None = None) -> Head:
    """The head with the number of classes filled in, by reading through a source that can be read again."""
    if head.num_classes is not None or not source.repeatable:
        return head
    with source.open() as reader:
        return head.with_classes(max(sample.label for sample in watched("counting classes", reader, reader, limit)))


def declared(head: Head, source: Source, limit: int | None = None, asked: int | None = None) -> LabelledHead:
    """The head with number and names of the classes: as the source says, as asked, or as counted.

    Raises
    ------
    UsageError
        if they are not known, or the source says another number than was asked
    """
    if asked and head.num_classes not in (None, asked):
        raise UsageError(f"{source.name} says that it has {head.num_classes}", parameter="classes", value=asked)
    head = head.with_classes(asked - 1) if asked else counted(head, source, limit)
    if head.num_classes is None:
        raise UsageError(f"needed, since {source.name} does not say how many it has", parameter="classes")
    return head.with_classes(0)
