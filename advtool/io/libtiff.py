"""libtiff, which Pillow reads compressed TIFFs with, and which writes what it thinks of them straight to stderr."""

import ctypes
from contextlib import suppress
from pathlib import Path


def silence() -> None:
    """Let it say nothing; what is wrong with an image, Pillow raises. Done where the library can be found."""
    with suppress(OSError, AttributeError):
        for line in Path("/proc/self/maps").read_text().splitlines():
            path = line.partition("/")[2]
            if "libtiff" in path:
                library = ctypes.CDLL(f"/{path}")
                library.TIFFSetErrorHandler(None)
                library.TIFFSetWarningHandler(None)
                return
