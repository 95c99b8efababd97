"""Text from outside, shown so that nothing in it hides, moves a cursor or turns text round."""

import re
import unicodedata

_NAMED = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}
_INVISIBLE = re.compile(  # that are not of a category of control or format characters
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufff8\U000e0000-\U000e0fff]"
)
_SHOWN = ("L", "M", "N", "P", "S", "Zs")


def visible(text: str, keep: str = "") -> str:
    r"""The text with every character that is not seen as its escape: ``\n``, ``\x1b``, ``\u202e``.

    A byte of a file name that is no UTF-8 is ``\xff``.

    Parameters
    ----------
    keep : characters to leave as they are
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c in keep or _is_seen(c) else _escape(c) for c in text)


def bounded(text: str, longest: int) -> str:
    """The text; beginning and end of one that is very long."""
    if len(text) <= longest:
        return text
    kept = longest // 3
    return f"{text[: longest - kept]}…{text[-kept:]}"


def _is_seen(character: str) -> bool:
    return unicodedata.category(character).startswith(_SHOWN) and not _INVISIBLE.match(character)


def _escape(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte, by surrogateescape
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x80:
        return _NAMED.get(character, f"\\x{code:02x}")
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
