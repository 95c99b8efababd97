"""Formats of 8-bit images: those that are read, how a file tells its own, and those that a shard may hold."""

import re

from advtool.io.streams import identify

READ = ("png", "jpg", "jpeg", "webp", "bmp", "ppm", "pgm", "tif", "tiff")
"""Extensions of files that are images, as in torchvision's ``ImageFolder``."""
STORED = ("png", "jpg", "jpeg", "webp")
"""Extensions of images that shards hold; images in other formats become PNG there."""
PILLOW = {"png": "PNG", "jpg": "JPEG", "webp": "WEBP", "bmp": "BMP", "ppm": "PPM", "tif": "TIFF"}
"""The formats by their usual extension, as Pillow calls them."""

_MAGIC = {
    "png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "jpg": re.compile(rb"\xff\xd8\xff"),
    "webp": re.compile(rb"RIFF....WEBP", re.DOTALL),
    "bmp": re.compile(rb"BM.{12}[\x0c-\x7c]\0\0\0", re.DOTALL),
    "ppm": re.compile(rb"P[1-6][\s#]"),
    "tif": re.compile(rb"II[*+]\0|MM\0[*+]"),
}
_NOT_READ = {
    "GIF": re.compile(rb"GIF8[79]a"),
    "HEIC or AVIF": re.compile(rb"....ftyp(?:heic|heix|mif1|msf1|avif|avis)", re.DOTALL),
    "JPEG 2000": re.compile(rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51"),
    "JPEG XL": re.compile(rb"\0\0\0\x0cJXL |\xff\x0a"),
    "PSD": re.compile(rb"8BPS"),
}
_ENOUGH = 512


def kind(data: bytes) -> str | None:
    """The format that the first bytes of an image say, by its usual extension; None for no image that is read."""
    return next((name for name, magic in _MAGIC.items() if magic.match(data)), None)


def complaint(data: bytes) -> str:
    """What the bytes are, if they are no image that is read."""
    for name, magic in _NOT_READ.items():
        if magic.match(data):
            return f"a {name} image, which is not read (save it as PNG)"
    return "corrupt image: an empty file" if not data else f"corrupt image: looks like {identify(data[:_ENOUGH])[1]}"


def extension(name: str) -> str:
    """The extension of a file name without its dot, in lower case; empty if there is none."""
    return name.rpartition(".")[2].lower() if "." in name.rpartition("/")[2][1:] else ""
