"""Failures of the machine that nobody closer to them has put into words: no file, no memory, no room on the stack."""

import os

_NO_MEMORY = ("not enough memory", "can't allocate memory")
_NO_DEVICE_MEMORY = ("out of memory",)


def line(error: Exception) -> str | None:
    """What to say of it in one line; None if it looks like a mistake in the program."""
    text = str(error).lower()
    if isinstance(error, OSError):
        if error.strerror is None:
            return None
        if error.filename is None:
            return f"input or output failed ({error.strerror})"
        return f"{os.fsdecode(error.filename)}: cannot be read or written ({error.strerror})"
    if isinstance(error, MemoryError) or any(words in text for words in _NO_MEMORY):
        return "out of memory; a smaller --batch-size or --limit may help"
    if isinstance(error, RecursionError):
        return "something in the input is nested too deeply; -v shows where it is read"
    if any(words in text for words in _NO_DEVICE_MEMORY):
        return "out of memory on the device; a smaller --batch-size may help"
    return None
