"""The image and the label of a sample: the members that keys name, else the one of each that there is."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from advtool import bounds
from advtool.errors import AdvtoolError
from advtool.io.images import IMAGE_EXTENSIONS
from advtool.io.keys import LABEL, Keys, is_image
from advtool.io.samples import Sample

_LONGEST_NAME = 200
_USUAL_FIELDS = ("label", "labels", "class", "cls", "target", "y", "category", "class_id", "label_id", "class_name")


class Lacking(AdvtoolError):
    """A sample has no image, or no label."""


def image_of(sample: Sample, keys: Keys) -> str:
    """Extension of the image.

    Raises
    ------
    Lacking
        naming the members that there are instead
    AdvtoolError
        if there are several, and no key says which
    """
    if keys.image:
        for key in keys.image:
            if key in sample.members:
                return key
        reason = f"no member {' or '.join(keys.image)}, which the image key names; has {shown(sample.members)}"
        raise Lacking(str(sample.fault(reason)))
    found = [extension for extension in IMAGE_EXTENSIONS if extension in sample.members]
    if len(found) > 1:
        several = " and ".join(f".{extension}" for extension in found)
        raise sample.fault(f"{several} are both images; `--image-key {found[-1]}` says which one is meant")
    if not found:
        compound = next(filter(is_image, sample.members), None)
        way = f"; `--image-key {compound}` says where it is" if compound else ""
        raise Lacking(str(sample.fault(f"no image member, has {shown(sample.members)}{way}")))
    return found[0]


def label_of(sample: Sample, keys: Keys) -> int | str:
    """The label as it is written: a number that JSON has as one, else a text that is not empty.

    Raises
    ------
    Lacking
        naming the members that there are instead
    AdvtoolError
        if it is neither a number nor a name
    """
    extension, _, field = (keys.label or LABEL).partition(":")
    data = sample.members.get(extension)
    if data is None:
        reason = f"no label: no member {extension}, which the label key names; has {shown(sample.members)}"
        raise Lacking(str(sample.fault(reason)))
    if len(data) > bounds.JSON_BYTES:
        raise sample.fault(f"its .{extension} member has {bounds.mib(len(data))}, too many for a label")
    try:
        text = data.decode("utf-8-sig").strip()
        value = _json_value(text, field) if extension.split(".")[-1] == "json" else text
    except UnicodeDecodeError:
        raise sample.fault(f"its .{extension} member is not text") from None
    except _NoLabel as reason:
        raise sample.fault(f"its .{extension} member {reason}") from None
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise sample.fault(f"label {_short(json.dumps(value))} is neither an integer nor a class name")
    if isinstance(value, str) and not value.strip():
        raise sample.fault("its label is empty")
    if isinstance(value, str) and (len(value) > _LONGEST_NAME or "\n" in value):
        raise sample.fault(f"label {_short(value)} is too long for the name of a class")
    return value.strip() if isinstance(value, str) else value


def check_label(sample: Sample, keys: Keys) -> None:
    """Raise Lacking where no key says what the label is, and there is no .cls member either."""
    if LABEL in sample.members or keys.label is not None:
        return
    fields = _fields(sample.members.get("json", b""))
    ways = [f"json:{field}" for field in _USUAL_FIELDS if field in fields][:1] or ["json:FIELD"] * bool(fields)
    others = [name for name in sample.members if not (name.endswith("json") or is_image(name))]
    ways += [name for name in ("txt", "label", *others) if name in others][:1]
    way = f"; {' or '.join(f'`--label-key {way}`' for way in ways)} says where it is" if ways else ""
    raise Lacking(str(sample.fault(f"no label: no .cls member, has {shown(sample.members)}{way}")))


def shown(extensions: Iterable[str]) -> str:
    """Members in words."""
    listed = sorted(extensions)
    return f"member{'s' * (len(listed) > 1)} {' '.join(listed[:8])}{' …' if len(listed) > 8 else ''}"


class _NoLabel(Exception):
    """Why JSON has no label, in words."""


def _json_value(text: str, field: str) -> Any:
    """The value of a field, which may be inside others: ``a.b``; the whole where no field is named."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise _NoLabel("is not JSON") from None
    if not field:
        if isinstance(value, dict):
            raise _NoLabel(f"is an object: json:FIELD says which of {_listed(value)} is the label")
        return value
    if not isinstance(value, dict):
        raise _NoLabel(f"is not a JSON object, so that it has no field '{field}'")
    if field in value:
        return value[field]
    inner: Any = value
    for part in field.split("."):
        if not isinstance(inner, dict) or part not in inner:
            raise _NoLabel(f"has no field '{field}', but {_listed(value)}")
        inner = inner[part]
    return inner


def _fields(data: bytes) -> list[str]:
    """The fields of an object that hold an integer or a text."""
    try:
        value = json.loads(data) if len(data) <= bounds.JSON_BYTES else None
    except (ValueError, RecursionError):
        return []
    return [field for field, held in value.items() if isinstance(held, int | str)] if isinstance(value, dict) else []


def _listed(fields: Mapping[str, Any]) -> str:
    return " ".join(list(fields)[:12]) + (" …" if len(fields) > 12 else "") if fields else "none at all"


def _short(text: str) -> str:
    return repr(text[:20] + ("…" if len(text) > 20 else ""))
