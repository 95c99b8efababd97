"""Encoding and decoding of the images of a sample: 8-bit files and float32 arrays."""

import functools
import io
import math
import re
import warnings
from typing import TYPE_CHECKING

import numpy as np

from advtool import bounds
from advtool.errors import AdvtoolError
from advtool.io import formats, libtiff
from advtool.io.shape import Shape
from advtool.io.unit import in_unit

if TYPE_CHECKING:
    from PIL.Image import Image

FLOAT = "npy"
IMAGE_EXTENSIONS = (*formats.READ, FLOAT)
MAX_PIXELS = bounds.PIXELS

# NumPy would parse the header as a Python expression, which untrusted input must not be.
_NPY_START = re.compile(rb"\x93NUMPY(?:\x01\x00(..)|[\x02\x03]\x00(....))", re.DOTALL)
_NPY_HEADER = re.compile(
    rb"\{'descr': '<f4', 'fortran_order': False, 'shape': \(([13]), ([1-9]\d{0,8}), ([1-9]\d{0,8})\), \}\s*"
)
_PNG_END = b"IEND\xaeB`\x82"
_PNG_DEPTH, _TIFF_DEPTHS = 24, 258
_GREY_MODES = {"1", "L", "LA"}


def decode(data: bytes, extension: str) -> np.ndarray:
    """Decode an image member; 8-bit files by the format that their first bytes say, whatever the extension.

    Returns
    -------
    uint8 array C×H×W with C 1 or 3 for 8-bit files (palettes and alpha are resolved to RGB), or
    float32 array C×H×W in [0, 1] for ``npy``.

    Raises
    ------
    AdvtoolError
        if the bytes are not such an image; the message lacks the place, which the caller knows
    """
    return _decode_array(data) if extension == FLOAT else _decode_file(data)


def size(data: bytes, extension: str) -> Shape:
    """The shape (C, H, W) of an encoded image, from its header alone where it has one."""
    if extension == FLOAT:
        return _decode_array(data).shape
    with _open(data) as image:
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


def kind(data: bytes, extension: str) -> str:
    """The format of an image member by its usual extension, from its content; as it is called if that says none."""
    return extension if extension == FLOAT else formats.kind(data) or extension


def _open(data: bytes) -> "Image":
    from PIL import Image

    name = formats.kind(data)
    if name is None:
        raise AdvtoolError(formats.complaint(data))
    _settle_pillow()
    try:
        image: Image.Image = Image.open(io.BytesIO(data), formats=[formats.PILLOW[name]])
        width, height, is_deep = image.width, image.height, _is_deep(image, data, name)
    except Exception:  # Pillow's readers raise almost anything for damaged files
        raise AdvtoolError(f"corrupt {name} image") from None
    if width * height > MAX_PIXELS:
        raise AdvtoolError(f"image of {width}×{height} pixels, more than {MAX_PIXELS}")
    if is_deep:
        raise AdvtoolError(f"{name} image is not 8-bit (mode {image.mode})")
    return image


@functools.cache
def _settle_pillow() -> None:
    """Our bound holds instead of Pillow's, and damage is said in our errors, not in its warnings besides."""
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None
    warnings.filterwarnings("ignore", module=r"PIL\.")
    libtiff.silence()


def _is_deep(image: "Image", data: bytes, name: str) -> bool:
    """Whether an image has more than 8 bits a channel; Pillow would cut some of those to 8 without a word."""
    if name == "png" and data[_PNG_DEPTH] > 8:
        return True
    if name == "tif" and max(image.tag_v2.get(_TIFF_DEPTHS, (1,))) > 8:  # type: ignore[attr-defined]
        return True
    if name == "ppm":
        arguments = [tile.args for tile in image.tile]  # type: ignore[attr-defined]
        return image.mode == "I" or any(isinstance(args, tuple) and args[1] > 255 for args in arguments)
    return image.mode.startswith(("I", "F"))


def _decode_file(data: bytes) -> np.ndarray:
    if formats.kind(data) == "png" and _PNG_END not in data:  # Pillow takes a PNG without its end for a whole one
        raise AdvtoolError("corrupt png image")
    with _open(data) as image:
        try:
            target = "L" if image.mode in _GREY_MODES else "RGB"
            pixels = np.array(image if image.mode == target else image.convert(target))
        except Exception:  # Pillow's decoders raise whatever they trip over in a damaged file
            raise AdvtoolError(f"corrupt {formats.kind(data)} image") from None
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
