"""Which part of a data set a name means, and which of the parts there are is read."""

import re
from collections.abc import Mapping
from typing import TypeVar

from advtool.errors import UsageError

PARTS = ("train", "val", "test")
WORDS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
_LETTERS = re.compile(r"[^\W\d_]+")
Found = TypeVar("Found")


def named_in(name: str) -> frozenset[str]:
    """The parts that a name speaks of: ``imagenet-val-0001.tar`` of val, ``Train`` of train, ``latest.tar`` of none."""
    return frozenset(WORDS[word] for word in _LETTERS.findall(name.lower()) if word in WORDS)


def is_plain(name: str) -> bool:
    """Whether a name says a part and nothing else: ``Train``, ``test1``."""
    return len(words := _LETTERS.findall(name.lower())) == 1 and words[0] in WORDS


def choose(
    found: Mapping[str, Found], asked: str | None, default: str, name: str, missing: str = "", any_else: bool = False
) -> tuple[Found, str, tuple[str, ...]]:
    """(what is read, the part that it is, all parts that there are).

    Where there is no test, val is the test part, unless val is asked for by its name.

    Parameters
    ----------
    missing : what to add where the part that is wanted is not there
    any_else : whether another part will do where none is asked for and the default is not there
    """
    parts = {part: found[part] for part in PARTS if part in found}
    if "test" not in parts and "val" in parts and asked != "val":
        parts = {"test" if part == "val" else part: value for part, value in parts.items()}
    split = asked or (next(iter(parts)) if any_else and default not in parts else default)
    if split not in parts:
        listed = ", ".join(parts)
        raise UsageError(f"has no split '{split}' (has {listed}{missing})", parameter="data", value=name)
    return parts[split], split, tuple(parts)
