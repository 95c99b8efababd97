"""Keys: which members of a sample are its image and its label, as the user says."""

import re
from dataclasses import dataclass

from advtool.errors import UsageError

LABEL = "cls"
_EXTENSION = re.compile(r"[^\s/:;,.]+([.][^\s/:;,.]+)*")


@dataclass(frozen=True)
class Keys:
    """What the user says of the members of samples; nothing by default.

    Attributes
    ----------
    image : extensions of the image, in order of preference, such as ``jpg`` or ``input.png``
    label : extension of the label, with a field for JSON, such as ``cls``, ``txt`` or ``json:label``
    """

    image: tuple[str, ...] = ()
    label: str | None = None

    @property
    def label_member(self) -> str:
        """Extension of the member that the label is in."""
        return (self.label or LABEL).partition(":")[0]


NO_KEYS = Keys()


def image_keys(given: str) -> tuple[str, ...]:
    """Extensions of images in order of preference, separated by ``;`` or ``,``."""
    keys = tuple(part.strip().removeprefix(".").lower() for part in re.split("[;,]", given))
    for key in keys:
        if not (_EXTENSION.fullmatch(key) and is_image(key)):
            kinds = " ".join(_image_extensions())
            raise UsageError(f"'{key}' does not end as an image does ({kinds})", parameter="image_key", value=given)
    return keys


def label_key(given: str) -> str:
    """The extension of labels, such as ``cls``, or ``json:FIELD``."""
    extension, colon, field = given.strip().removeprefix(".").partition(":")
    extension = extension.lower()
    if not _EXTENSION.fullmatch(extension) or (colon and not field):
        raise UsageError("not an extension such as cls or txt, or json:FIELD", parameter="label_key", value=given)
    if is_image(extension):
        raise UsageError("an image, not a label", parameter="label_key", value=given)
    if field and extension.split(".")[-1] != "json":
        raise UsageError("only JSON has fields: json:FIELD", parameter="label_key", value=given)
    return f"{extension}{colon}{field}"


def is_image(extension: str) -> bool:
    """Whether an extension, or the last part of it, is an image's."""
    return extension.rpartition(".")[2] in _image_extensions()


def _image_extensions() -> tuple[str, ...]:
    from advtool.io.images import IMAGE_EXTENSIONS  # NumPy, which the command line does without

    return IMAGE_EXTENSIONS
