"""Pickles that are looked at and never run: what they name, and whether reading them would come to an end soon."""

import io
import pickletools
import zipfile
from collections.abc import Iterator
from typing import Any

from advtool import bounds
from advtool.errors import AdvtoolError

_STREAMS = 5  # in files of torch.save before it wrote zips: magic, version, system, content, keys
_ZIP, _GLOBAL = b"PK\x03\x04", b"c"


def check(data: bytes, path: str) -> None:
    """Refuse a file of ``torch.save`` whose pickle has very many operations, or names of absurd length.

    PyTorch searches its own messages about such names in quadratic time.
    """
    for number, (operation, argument) in enumerate(_operations(data)):
        if number > bounds.OPERATIONS:
            raise AdvtoolError(f"{path}: its pickle has more than {bounds.OPERATIONS:,} operations")
        if operation in ("GLOBAL", "INST") and len(str(argument)) > bounds.TENSOR_NAME:
            shown = f"names an object of {len(argument):,} characters"
            raise AdvtoolError(f"{path}: its pickle {shown}, more than {bounds.TENSOR_NAME:,}")


def named(data: bytes) -> list[str]:
    """The functions and classes that a file names, other than torch's own, as far as it can be read."""
    found = {str(argument).replace(" ", ".") for operation, argument in _operations(data) if operation == "GLOBAL"}
    return sorted(each for each in found if not each.startswith(("torch.", "collections.OrderedDict")))


def _operations(data: bytes) -> Iterator[tuple[str, Any]]:
    """(name, argument) of each, until the first that is damaged; what that names is the last."""
    file, streams, place = io.BytesIO(data), _STREAMS, 0
    try:
        if data.startswith(_ZIP):
            with zipfile.ZipFile(file) as archive:
                file = io.BytesIO(next(archive.read(n) for n in archive.namelist() if n.endswith("data.pkl")))
            streams = 1
        for _ in range(streams):
            for operation, argument, _place in pickletools.genops(file):
                yield operation.name, argument
                place = file.tell()
    except Exception:  # what is damaged is refused by PyTorch, which takes other ends of a name for one
        rest = file.getvalue()[place:]
        if rest.startswith(_GLOBAL):
            yield "GLOBAL", b" ".join(rest[len(_GLOBAL) :].split(b"\n", 2)[:2]).decode("latin-1")
