"""Samples: the adjacent members ``KEY.EXT`` of a shard, grouped and checked."""

import json
import re
from dataclasses import dataclass

import numpy as np

from advtool import bounds
from advtool.errors import AdvtoolError
from advtool.io import images
from advtool.io.head import MAX_CLASSES
from advtool.io.keys import LABEL
from advtool.io.shape import Shape

MAX_LABEL = MAX_CLASSES - 1
ORIGINAL = "original.npy"
"""The member that holds what an image was before an attack, beside what became of it."""

KNOWN_EXTENSIONS = {*images.IMAGE_EXTENSIONS, LABEL, "json", ORIGINAL}
NO_OBJECT = (
    "its .json member is not a JSON object, so that nothing can be added to it;"
    " `tar --delete --wildcards -f SHARD '*.json'` takes it out"
)
_RESERVED = re.compile(r"__[^/]*__/")


class ShardWarning(UserWarning):
    """Something in a shard was passed over."""


class LeftOut(UserWarning):
    """Members are not even passed on: a second image, or what is part of no sample."""


@dataclass(slots=True)
class Sample:
    """One image with its label.

    Attributes
    ----------
    key : name, unique in its shard
    members : extension → encoded bytes, as in the shard; other extensions than ours included
    shard : where it came from, for messages
    """

    key: str
    members: dict[str, bytes]
    shard: str

    @property
    def extension(self) -> str:
        """Extension of the image member."""
        for extension in images.IMAGE_EXTENSIONS:
            if extension in self.members:
                return extension
        raise self.fault(f"no image member (one of {', '.join(images.IMAGE_EXTENSIONS)})")

    def pixels(self) -> np.ndarray:
        """Decode the image: uint8 or float32 in [0, 1], C×H×W."""
        extension = self.extension
        try:
            return images.decode(self.members[extension], extension)
        except AdvtoolError as error:
            raise self.fault(str(error)) from None

    def shape(self) -> Shape:
        """(C, H, W), without decoding where the format allows."""
        extension = self.extension
        try:
            return images.size(self.members[extension], extension)
        except AdvtoolError as error:
            raise self.fault(str(error)) from None

    @property
    def label(self) -> int:
        text = self.members.get(LABEL)
        if text is None:
            raise self.fault("no label (.cls member)")
        stripped = text.strip()
        if not (stripped.isdigit() and len(stripped) <= 9):
            way = "; `--label-key cls` takes class names" if stripped[:1].isalpha() else ""
            raise self.fault(f"label {_short(text)} is not a non-negative integer{way}")
        if int(stripped) > MAX_LABEL:
            raise self.fault(f"label {int(stripped)}, more than {MAX_LABEL}")
        return int(stripped)

    def facts(self) -> dict | None:
        """The content of the .json member; empty where there is none, None where it is not an object."""
        data = self.members.get("json", b"{}")
        if len(data) > bounds.JSON_BYTES:
            raise self.fault(f"its .json member has {bounds.mib(len(data))}, more than {bounds.mib(bounds.JSON_BYTES)}")
        try:
            fields = json.loads(data)
        except (ValueError, RecursionError):
            return None
        return fields if isinstance(fields, dict) else None

    def provenance(self) -> dict:
        """The same for adding to it; AdvtoolError if it is not an object."""
        fields = self.facts()
        if fields is None:
            raise self.fault(NO_OBJECT)
        return fields

    def fault(self, reason: str) -> AdvtoolError:
        return AdvtoolError(f"{self.shard}: sample '{self.key}': {reason}")


def split_name(name: str) -> tuple[str, str]:
    """Split a member name at the first dot of its last component, as webdataset does: (key, extension).

    Both are empty for what is no part of a sample: names without an extension, and everything in ``__…__/``.
    """
    folder, slash, last = name.rpartition("/")
    stem, _, extension = last.partition(".")
    is_stem = stem or (slash and "." not in folder.rpartition("/")[2])  # that of "a/.png" is "a/", as there
    if not (extension and is_stem) or _RESERVED.match(name):
        return "", ""
    return f"{folder}{slash}{stem}", extension.lower()


def _short(data: bytes) -> str:
    text = data[:20].decode("utf-8", "replace")
    return repr(text + ("…" if len(data) > 20 else ""))
