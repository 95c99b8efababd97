"""Text for terminals and files that are not Unicode: in the characters that they have, and never a traceback."""

import codecs
import copy
import re
import sys
import unicodedata
from typing import Any, TextIO

_HANDLER = "advtool"

_SIGNS = {
    **{"×": "x", "·": "*", "−": "-", "–": "-", "—": "-", "…": "...", "±": "+-", "′": "'", "‖": "||", "√": "sqrt "},
    **{"≤": "<=", "≥": ">=", "≠": "!=", "≈": "~", "→": "->", "∞": "inf", "∈": " in ", "∝": "~", "∂": "d", "∫": "int "},
    **{"‘": "'", "’": "'", "“": '"', "”": '"', "⟨": "<", "⟩": ">", "∠": "angle ", "⁄": "/", "̃": "~", "̂": "^"},
    **{"ε": "eps", "λ": "lambda", "Λ": "Lambda", "σ": "sigma", "Σ": "Sum ", "ᵀ": "^T", "ᴰ": "^D"},
}


def install() -> None:
    """Have stdout and stderr replace what their encoding lacks."""
    codecs.register_error(_HANDLER, _replaced)
    for stream in (sys.stdout, sys.stderr):
        if reconfigure := getattr(stream, "reconfigure", None):  # None where it is closed
            reconfigure(errors=_HANDLER)


def is_unicode(stream: TextIO) -> bool:
    """Whether the stream takes any text; one without an encoding is in memory, and does."""
    return (getattr(stream, "encoding", None) or "utf-8").lower().startswith("utf")


def shown(text: str, stream: TextIO) -> str:
    """The text as the stream will show it: what is laid out in columns has to know its width."""
    if is_unicode(stream):
        return text
    codecs.register_error(_HANDLER, _replaced)
    return text.encode(stream.encoding, _HANDLER).decode(stream.encoding)


def shown_command(command: Any, stream: TextIO) -> Any:
    """A command, or a group of them, whose help is laid out as the stream will show it."""
    if is_unicode(stream):
        return command
    made = _with_texts(command, stream)
    made.params = [_with_texts(parameter, stream) for parameter in command.params]
    if hasattr(command, "commands"):
        made.commands = {name: _with_texts(each, stream) for name, each in command.commands.items()}
    return made


def _with_texts(thing: Any, stream: TextIO) -> Any:
    made = copy.copy(thing)
    for name in ("help", "metavar"):
        if isinstance(text := getattr(made, name, None), str):
            setattr(made, name, shown(text, stream))
    return made


def _replaced(error: UnicodeError) -> tuple[str, int]:
    """What stands for the characters that an encoding lacks; a question mark at worst."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return plain(error.object[error.start : error.end]), error.end


def plain(text: str) -> str:
    """A text in ASCII: words for Greek letters, ^ for raised figures, ? for what has no other name."""
    raised = re.sub(r"[⁰¹²³⁴-⁹⁺⁻]+", lambda found: "^" + unicodedata.normalize("NFKD", found[0]), text)
    return "".join(map(_plain, raised))


def _plain(character: str) -> str:
    if character.isascii() or character in _SIGNS:
        return _SIGNS.get(character, character)
    name = unicodedata.name(character, "")
    if name.startswith("GREEK") and " LETTER " in name and "WITH" not in name:
        letter = name.rpartition(" ")[2].lower()
        return letter.capitalize() if character.isupper() else letter
    parts = unicodedata.normalize("NFKD", character)
    kept = "".join(_SIGNS.get(part, part) for part in parts)
    return kept if kept.isascii() else "?"
