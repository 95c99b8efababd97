"""The head member: what a stream of samples says about itself before the first sample."""

import json
import math
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from advtool import bounds
from advtool.errors import AdvtoolError
from advtool.io.shape import Shape, shape_text

NAME = "__advtool__/head"
SCHEMA = 1
MAX_CLASSES = bounds.CLASSES


@dataclass(frozen=True)
class Head:
    """Facts about a stream of samples; None where they are not known.

    Attributes
    ----------
    classes : class names, in the order of the labels
    num_classes : number of classes
    shape : (C, H, W) of every image; None also where images differ in size
    split : ``train``, ``test`` or None
    source : where the images came from originally
    history : the commands that made the stream, oldest first
    records : what those commands did, as far as they say: one JSON object each
    """

    classes: tuple[str, ...] | None = None
    num_classes: int | None = None
    shape: Shape | None = None
    split: str | None = None
    source: str | None = None
    history: tuple[str, ...] = ()
    records: tuple[dict, ...] = ()

    def after(self, command: str, record: dict | None = None, **changes: Any) -> "Head":
        """This head with one more command in its history, and with the changes that the command made."""
        records = (*self.records, record) if record else self.records
        return replace(self, history=(*self.history, command), records=records, **changes)

    def with_classes(self, max_label: int) -> "LabelledHead":
        """This head with number and names of the classes; as many as the largest label says, where it says nothing."""
        num_classes = self.num_classes or max_label + 1
        classes = self.classes or tuple(str(label) for label in range(num_classes))
        known: dict[str, Any] = vars(self) | {"num_classes": num_classes, "classes": classes}
        return LabelledHead(**known)

    def merged(self, other: "Head", where: str) -> "Head":
        """The head of this stream followed by another; they must agree on shape and classes."""
        for name in ("num_classes", "shape", "classes"):
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine is not None and theirs is not None and mine != theirs:
                shown = [shape_text(value) if name == "shape" else value for value in (theirs, mine)]
                raise AdvtoolError(f"{where}: {name} {shown[0]} after {shown[1]} in what was read before")
        return Head(
            classes=self.classes or other.classes,
            num_classes=self.num_classes or other.num_classes,
            shape=self.shape or other.shape,
            split=self.split if self.split == other.split else None,
            source=self.source if self.source == other.source else None,
            history=self.history or other.history,
            records=self.records or other.records,
        )

    def to_bytes(self) -> bytes:
        fields = {name: value for name, value in asdict(self).items() if value or name != "records"}
        return json.dumps({"schema": SCHEMA, **fields}, sort_keys=True).encode()

    @classmethod
    def from_bytes(cls, data: bytes, where: str) -> "Head":
        if len(data) > bounds.JSON_BYTES:
            raise AdvtoolError(
                f"{where}: head member of {bounds.mib(len(data))}, more than {bounds.mib(bounds.JSON_BYTES)}"
            )
        try:
            fields: Any = json.loads(data)
            if not isinstance(fields, dict) or fields.pop("schema") != SCHEMA:
                raise ValueError("unknown schema")
            head = cls(**{name: _frozen(fields.get(name)) for name in cls.__dataclass_fields__ if name in fields})
            head._validate()
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise AdvtoolError(f"{where}: bad head member ({error})") from None
        return head

    def _validate(self) -> None:
        if self.num_classes is not None and not (_is_integer(self.num_classes) and 0 < self.num_classes <= MAX_CLASSES):
            raise ValueError(f"num_classes must be an integer from 1 to {MAX_CLASSES}")
        for name in ("classes", "shape", "history", "records"):
            value = getattr(self, name)
            if not isinstance(value, tuple) and (value is not None or name in ("history", "records")):
                raise ValueError(f"{name} must be a list")
        if self.shape is not None and not (len(self.shape) == 3 and all(_is_integer(n) and n > 0 for n in self.shape)):
            raise ValueError("shape must be three positive integers")
        if self.shape is not None and math.prod(self.shape) > 3 * bounds.PIXELS:
            raise ValueError(f"shape of more than {bounds.PIXELS} pixels")
        if self.classes is not None and not (
            len(self.classes) == self.num_classes and all(isinstance(name, str) for name in self.classes)
        ):
            raise ValueError("classes must be num_classes strings")
        if not all(isinstance(record, dict) for record in self.records):
            raise ValueError("records must be objects")
        for text in (self.split, self.source, *self.history):
            if text is not None and not isinstance(text, str):
                raise ValueError("split, source and history must be strings")


@dataclass(frozen=True)
class LabelledHead(Head):
    """A head that knows the classes."""

    classes: tuple[str, ...] = field()
    num_classes: int = field()


@dataclass(frozen=True)
class CompleteHead(LabelledHead):
    """A head that knows classes and shape."""

    shape: Shape = field()


def complete(head: Head, shape: Shape, max_label: int) -> CompleteHead:
    """Fill in what a stream did not say about itself; class names default to the label numbers."""
    known: dict[str, Any] = vars(head.with_classes(max_label)) | {"shape": shape}
    return CompleteHead(**known)


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
