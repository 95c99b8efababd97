"""Encoding and decoding of the images of a sample: 8-bit files and float32 arrays."""

import io
import math
import re
from typing import TYPE_CHECKING

import numpy as np

from advtool.errors import AdvtoolError
from advtool.io.shape import Shape
from advtool.io.unit import in_unit

if TYPE_CHECKING:
    from PIL.Image import Image

EIGHT_BIT = ("png", "jpg", "jpeg", "webp")
FLOAT = "npy"
IMAGE_EXTENSIONS = (*EIGHT_BIT, FLOAT)
MAX_PIXELS = 64_000_000

# NumPy would parse the header as a Python expression, which untrusted input must not be.
_NPY_START = re.compile(rb"\x93NUMPY(?:\x01\x00(..)|[\x02\x03]\x00(....))", re.DOTALL)
_NPY_HEADER = re.compile(
    rb"\{'descr': '<f4', 'fortran_order': False, 'shape': \(([13]), ([1-9]\d{0,8}), ([1-9]\d{0,8})\), \}\s*"
)
_PIL_FORMATS = {"png": "PNG", "jpg": "JPEG", "jpeg": "JPEG", "webp": "WEBP"}
_PNG_END = b"IEND\xaeB`\x82"
_PNG_DEPTH = 24
_GREY_MODES = {"1", "L", "LA"}


def decode(data: bytes, extension: str) -> np.ndarray:
    """Decode an image member.

    Returns
    -------
    uint8 array C×H×W with C 1 or 3 for 8-bit files (palettes and alpha are resolved to RGB), or
    float32 array C×H×W in [0, 1] for ``npy``.

    Raises
    ------
    AdvtoolError
        if the bytes are not such an image; the message lacks the place, which the caller knows
    """
    return _decode_array(data) if extension == FLOAT else _decode_file(data, extension)


def size(data: bytes, extension: str) -> Shape:
    """The shape (C, H, W) of an encoded image, from its header alone where it has one."""
    if extension == FLOAT:
        return _decode_array(data).shape
    with _open(data, extension) as image:
        return (1 if image.mode in _GREY_MODES else 3, image.height, image.width)


def encode_png(pixels: np.ndarray) -> bytes:
    """Encode a uint8 array C×H×W, C 1 or 3, as PNG; the same bytes for the same pixels and zlib."""
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0))).save(out, "PNG")
    return out.getvalue()


def encode_npy(pixels: np.ndarray) -> bytes:
    """Encode a float32 array C×H×W as .npy."""
    out = io.BytesIO()
    np.lib.format.write_array(out, np.ascontiguousarray(pixels, np.dtype("<f4")), version=(1, 0), allow_pickle=False)
    return out.getvalue()


def resize(pixels: np.ndarray, side: int) -> np.ndarray:
    """Scale the shorter side of a uint8 C×H×W image to `side` (antialiased) and crop the centre square."""
    from PIL import Image, ImageOps

    image = Image.fromarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0))
    fitted = np.asarray(ImageOps.fit(image, (side, side), Image.Resampling.BICUBIC))
    return fitted[None] if fitted.ndim == 2 else np.ascontiguousarray(fitted.transpose(2, 0, 1))


def _open(data: bytes, extension: str) -> "Image":
    from PIL import Image

    try:
        image: Image.Image = Image.open(io.BytesIO(data), formats=[_PIL_FORMATS[extension]])
    except Image.DecompressionBombError:
        raise AdvtoolError(f"image of more than {MAX_PIXELS} pixels") from None
    except (OSError, ValueError, SyntaxError):
        raise AdvtoolError(f"corrupt {extension} image") from None
    if image.width * image.height > MAX_PIXELS:
        raise AdvtoolError(f"image of {image.width}×{image.height} pixels, more than {MAX_PIXELS}")
    if image.mode.startswith(("I", "F")) or (extension == "png" and data[_PNG_DEPTH] > 8):
        raise AdvtoolError(f"{extension} image is not 8-bit (mode {image.mode})")
    return image


def _decode_file(data: bytes, extension: str) -> np.ndarray:
    if extension == "png" and _PNG_END not in data:  # Pillow takes a PNG without its end for a whole one
        raise AdvtoolError("corrupt png image")
    with _open(data, extension) as image:
        try:
            target = "L" if image.mode in _GREY_MODES else "RGB"
            pixels = np.array(image if image.mode == target else image.convert(target))
        except (OSError, ValueError, SyntaxError, EOFError, IndexError):
            raise AdvtoolError(f"corrupt {extension} image") from None
    return pixels[None] if pixels.ndim == 2 else np.ascontiguousarray(pixels.transpose(2, 0, 1))


def _decode_array(data: bytes) -> np.ndarray:
    start = _NPY_START.match(data)
    if not start:
        raise AdvtoolError("corrupt .npy array")
    header = data[start.end() :][: int.from_bytes(start[1] or start[2], "little")]
    fields = _NPY_HEADER.fullmatch(header)
    if not fields:
        found = header[:100].decode("latin-1").strip()
        raise AdvtoolError(f".npy array must be float32 C×H×W with C 1 or 3, in C order, not {found}")
    shape = tuple(int(n) for n in fields.groups())
    offset = start.end() + len(header)
    if len(data) - offset != 4 * math.prod(shape):
        raise AdvtoolError(f".npy array of shape {shape} has {len(data) - offset} data bytes")
    pixels = np.frombuffer(data, "<f4", offset=offset).reshape(shape)
    try:
        return in_unit(pixels)
    except AdvtoolError as error:
        raise AdvtoolError(f".npy {error}") from None
