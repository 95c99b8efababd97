"""Images that are watched in training: with the model's labels, or refused before the first epoch."""

from advtool.data.arrays import Images
from advtool.data.classes import counted
from advtool.data.matching import ClassMismatch, match
from advtool.data.sources import Source
from advtool.errors import AdvtoolError
from advtool.io.head import Head
from advtool.io.shape import shape_text
from advtool.models.classifier import ModelSpec


def fitted(images: Images, spec: ModelSpec, what: str) -> Images:
    """The images with the labels that the model has for their classes; what was done with them is said.

    Parameters
    ----------
    what : to call the images

    Raises
    ------
    AdvtoolError
        if the model takes images of another shape, or does not know all classes
    """
    _check(images.head, spec, what)
    mapped = images.matched_to(spec.classes)
    if mapped.matched and images.matched is None:
        mapped.matched.tell(what)
    return mapped


def check(source: Source, spec: ModelSpec, what: str, any_size: bool = False) -> None:
    """Refuse a source, whose images are not decoded, for what `fitted` would refuse them for."""
    with source.open() as reader:
        head = counted(reader.head, source)
    _check(head, spec, what, any_size)


def matched(images: Images) -> dict:
    """What records say of how labels were matched; nothing where the classes are the model's own."""
    found = images.matched
    return {} if found is None or found.names == found.known else {"matched": found.to_json()}


def _check(head: Head, spec: ModelSpec, what: str, any_size: bool = False) -> None:
    if head.shape not in (None, spec.shape) and not any_size:
        raise AdvtoolError(f"{what}: images are {shape_text(head.shape or ())}, not {shape_text(spec.shape)}")
    try:
        match(head.classes, spec.classes, head.num_classes)
    except ClassMismatch as error:
        raise ClassMismatch(f"{what}: {error}", error.disjoint) from None
