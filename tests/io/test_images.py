import io
import random
import tracemalloc
import warnings
from contextlib import suppress

import numpy as np
import pytest
import shard_factory as make

from advtool.errors import AdvtoolError
from advtool.io import images

GREY, RGB = make.pixels(1)[0], make.pixels(2, channels=3).transpose(1, 2, 0)
RAMP = np.stack([np.add.outer(np.arange(8), np.arange(8)) * 10 + 20 * c for c in range(3)], 2).astype(np.uint8)
F4 = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1, 1), }"


def fault(data: bytes, extension: str) -> str:
    with pytest.raises(AdvtoolError) as caught:
        images.decode(data, extension)
    return str(caught.value)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("side", [1, 8, 33])
def test_png_round_trip(channels, side):
    pixels = make.pixels(3, channels, side)
    data = images.encode_png(pixels)
    decoded = images.decode(data, "png")
    assert decoded.dtype == np.uint8
    np.testing.assert_array_equal(decoded, pixels)
    assert images.encode_png(pixels) == data


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 5, 7), (3, 1, 1)])
def test_npy_round_trip(shape):
    pixels = np.random.default_rng(0).random(shape, dtype=np.float32)
    pixels.flat[0] = 0
    pixels.flat[-1] = 1
    decoded = images.decode(images.encode_npy(pixels), "npy")
    assert decoded.dtype == np.float32
    np.testing.assert_array_equal(decoded, pixels)


def test_npy_is_readable_by_numpy_and_needs_no_particular_memory_layout():
    pixels = np.asfortranarray(make.floats(side=4))
    data = images.encode_npy(pixels)
    np.testing.assert_array_equal(np.load(io.BytesIO(data), allow_pickle=False), pixels)
    np.testing.assert_array_equal(images.decode(data, "npy"), pixels)


def test_an_npy_header_is_not_parsed_as_python(monkeypatch):
    """`ast.parse` on several threads at once raises SystemError now and then (CPython 3.11, gh-106905)."""

    def refuse(*args, **kwargs):
        raise SystemError("AST constructor recursion depth mismatch")

    data = images.encode_npy(make.floats())
    monkeypatch.setattr("ast.parse", refuse)
    np.testing.assert_array_equal(images.decode(data, "npy"), make.floats())
    assert images.size(data, "npy") == (3, 8, 8)


@pytest.mark.parametrize(
    ("extension", "data"),
    [
        ("jpg", make.encode(RAMP, "JPEG", quality=95)),
        ("jpeg", make.encode(RAMP, "JPEG", quality=95, progressive=True)),
        ("webp", make.encode(RAMP, "WEBP", lossless=True)),
    ],
)
def test_jpg_and_webp_are_decoded(extension, data):
    decoded = images.decode(data, extension)
    assert (decoded.dtype, decoded.shape) == (np.uint8, (3, 8, 8))
    tolerance = 0 if extension == "webp" else 8
    assert np.abs(decoded.astype(int) - RAMP.transpose(2, 0, 1)).max() <= tolerance


@pytest.mark.parametrize(
    ("data", "extension", "channels"),
    [
        (make.encode(GREY, "PNG", "1"), "png", 1),
        (make.encode(GREY, "PNG", "LA"), "png", 1),
        (make.encode(GREY, "JPEG"), "jpg", 1),
        (make.encode(RGB, "PNG", "P"), "png", 3),
        (make.encode(RGB, "PNG", "RGBA"), "png", 3),
        (make.encode(RGB, "JPEG", "CMYK"), "jpeg", 3),
        (make.encode(RGB, "WEBP", "RGBA"), "webp", 3),
    ],
    ids=["1-bit", "grey+alpha", "grey jpg", "palette", "rgb+alpha", "cmyk", "webp+alpha"],
)
def test_modes_become_grey_or_rgb_and_the_header_tells_the_same_shape(data, extension, channels):
    decoded = images.decode(data, extension)
    assert decoded.dtype == np.uint8
    assert decoded.shape == (channels, 8, 8) == images.size(data, extension)


def test_palette_colours_and_bits_are_resolved():
    flat = np.zeros((4, 4, 3), np.uint8)
    flat[:2] = (255, 0, 153)
    np.testing.assert_array_equal(images.decode(make.encode(flat, "PNG", "P"), "png"), flat.transpose(2, 0, 1))
    bits = np.where(np.eye(4), 255, 0).astype(np.uint8)
    np.testing.assert_array_equal(images.decode(make.encode(bits, "PNG", "1"), "png")[0], bits)


@pytest.mark.parametrize(
    ("colour", "channels"), [(0, 1), (4, 2), (2, 3), (6, 4)], ids=["grey", "grey+alpha", "rgb", "rgb+alpha"]
)
def test_16_bit_png_is_refused(colour, channels):
    row = b"\0" + bytes(range(4 * channels))
    assert "not 8-bit" in fault(make.raw_png(2, 2, 16, colour, 2 * row), "png")


@pytest.mark.parametrize(
    ("extension", "data"),
    [
        ("png", make.encode(RGB, "PNG")),
        ("png", make.encode(GREY, "PNG", compress_level=0)),
        ("jpg", make.encode(RGB, "JPEG")),
        ("jpg", make.encode(RGB, "JPEG", progressive=True)),
        ("webp", make.encode(RGB, "WEBP")),
        ("bmp", make.encode(RGB, "BMP")),
        ("ppm", make.encode(RGB, "PPM")),
        ("tif", make.encode(RGB, "TIFF")),
        ("npy", images.encode_npy(make.floats(side=3))),
    ],
    ids=["png", "stored png", "jpg", "progressive jpg", "webp", "bmp", "ppm", "tif", "npy"],
)
def test_an_image_cut_anywhere_is_refused(extension, data):
    for cut in range(len(data)):
        assert "corrupt" in fault(data[:cut], extension) or extension == "npy", cut


def test_a_flipped_bit_in_a_png_is_refused_or_harmless():
    data = make.encode(GREY, "PNG")
    for position in range(len(data)):
        bad = bytearray(data)
        bad[position] ^= 0x10
        with suppress(AdvtoolError):
            np.testing.assert_array_equal(images.decode(bytes(bad), "png")[0], GREY)


@pytest.mark.parametrize("extension", ["png", "jpg", "jpeg", "webp", "npy"])
@pytest.mark.parametrize("data", [b"", b"x", b"hello world" * 100, bytes(1000)])
def test_bytes_that_are_no_image_are_refused(extension, data):
    assert "corrupt" in fault(data, extension)


@pytest.mark.parametrize(
    ("kind", "extension"),
    [("PNG", "jpg"), ("WEBP", "png"), ("BMP", "bmp"), ("BMP", "png"), ("TIFF", "jpeg"), ("PPM", "pgm")],
)
def test_the_content_says_the_format_and_not_the_name(kind, extension):
    data = make.encode(RGB, kind, **({"lossless": True} if kind == "WEBP" else {}))
    np.testing.assert_array_equal(images.decode(data, extension), RGB.transpose(2, 0, 1))
    assert images.size(data, extension) == (3, 8, 8)


@pytest.mark.parametrize(
    ("data", "extension", "says"),
    [
        (make.encode(RGB, "PNG"), "npy", "corrupt .npy"),
        (make.encode(RGB, "GIF"), "png", "a GIF image, which is not read"),
        (b"<!DOCTYPE html><html>404", "jpg", "looks like an HTML"),
        (b"", "jpg", "an empty file"),
        (images.encode_npy(make.floats()), "png", "looks like a NumPy array"),
    ],
)
def test_what_is_no_image_that_is_read_is_named(data, extension, says):
    assert says in fault(data, extension)


@pytest.mark.parametrize(
    "data",
    [
        b"P5\n2 2\n65535\n" + bytes(8),
        b"P6\n2 2\n1023\n" + bytes(24),
        b"P3\n1 1\n65535\n1 2 3\n",
        make.encode(np.zeros((4, 4), np.uint16), "TIFF"),
        make.encode(np.zeros((4, 4), np.float32), "TIFF"),
    ],
    ids=["pgm", "ppm", "plain ppm", "tiff", "float tiff"],
)
def test_16_bit_files_of_other_formats_are_refused(data):
    assert "not 8-bit" in fault(data, "png")


def test_pickles_named_npy_or_png_are_not_loaded():
    bomb = b"cbuiltins\nexec\n(S'raise SystemExit(99)'\ntR."
    for extension in images.IMAGE_EXTENSIONS:
        fault(bomb, extension)
    header = "{'descr': '|O', 'fortran_order': False, 'shape': (1, 1, 1), }"
    assert "float32" in fault(make.raw_npy(header, bomb), "npy")


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((1, 4, 4), np.float64),
        np.zeros((1, 4, 4), np.float16),
        np.zeros((1, 4, 4), np.uint8),
        np.zeros((1, 4, 4), ">f4"),
        np.zeros((1, 4, 4), [("a", "<f4")]),
        np.asfortranarray(np.zeros((3, 4, 4), np.float32)),
        np.zeros((4, 4), np.float32),
        np.zeros((2, 4, 4), np.float32),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((1, 3, 4, 4), np.float32),
        np.zeros((3, 0, 4), np.float32),
        np.float32(0),
    ],
    ids=lambda array: f"{array.dtype} {array.shape}",
)
def test_npy_of_another_kind_is_refused(array):
    out = io.BytesIO()
    np.save(out, array)
    assert "must be float32 C×H×W" in fault(out.getvalue(), "npy")


@pytest.mark.parametrize(("value", "expected"), [(1.0000001, 1), (-1e-9, 0), (1 + 9e-7, 1), (-9e-7, 0)])
def test_npy_pixels_out_of_the_unit_interval_by_rounding_are_clipped(value, expected):
    pixels = make.floats()
    pixels[1, 2, 3] = value
    decoded = images.decode(images.encode_npy(pixels), "npy")
    assert decoded[1, 2, 3] == expected and decoded.dtype == np.float32
    pixels[1, 2, 3] = expected
    np.testing.assert_array_equal(decoded, pixels)


@pytest.mark.parametrize(("value", "words"), [(1.0001, "1.0001"), (1.000002, "1.000002"), (-2e-6, "-2e-06")])
def test_what_is_out_is_told_from_what_is_in(value, words):
    pixels = make.floats()
    pixels[1, 2, 3] = value
    assert words in fault(images.encode_npy(pixels), "npy")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, -1e-3, 1.001, 255])
def test_npy_pixels_outside_of_the_unit_interval_are_refused(value):
    pixels = make.floats()
    pixels[1, 2, 3] = value
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "must lie in [0, 1]" in fault(images.encode_npy(pixels), "npy")


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': ('<f4', 'fortran_order': False",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2**70, 1), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (True, 1, 1), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1, -1), }",
        "{'descr': '<f4', 'fortran_order': 0, 'shape': (1, 1, 1), }",
        "{'descr': 'nonsense', 'fortran_order': False, 'shape': (1, 1, 1), }",
        "-" * 9000 + "1",
        "[" * 3000,
        "(" * 150 + ")" * 150,
        "x" * 20_000,
    ],
    ids=lambda text: text[-24:],
)
def test_nonsense_in_an_npy_header_is_a_clear_error(header):
    fault(make.raw_npy(header, bytes(4)), "npy")


@pytest.mark.parametrize("data", [b"", bytes(3), bytes(8)])
def test_npy_with_too_little_or_too_much_data_is_refused(data):
    assert f"{len(data)} data bytes" in fault(make.raw_npy(F4, data), "npy")


def _peak_of_refusing(data: bytes, extension: str) -> int:
    tracemalloc.start()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for read in (images.decode, images.size):
                with pytest.raises(AdvtoolError):
                    read(data, extension)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_an_npy_that_claims_a_huge_shape_is_refused_without_allocating():
    header = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 1000000000, 1000000000), }"
    assert _peak_of_refusing(make.raw_npy(header, bytes(4)), "npy") < 1 << 20


@pytest.mark.parametrize("side", [9_000, 12_000, 100_000])
def test_a_png_that_claims_a_huge_size_is_refused_without_allocating(side):
    assert _peak_of_refusing(make.raw_png(side, side, 8, 0), "png") < 1 << 20


def test_a_png_that_claims_a_huge_size_is_named_for_it():
    assert "pixels, more than" in fault(make.raw_png(9_000, 9_000, 8, 0), "png")
    assert "pixels, more than" in fault(make.raw_png(100_000, 100_000, 8, 0), "png")


def test_mutated_images_raise_nothing_but_advtool_errors():
    rng = random.Random(0)
    originals = [
        ("png", make.encode(RGB, "PNG", "P")),
        ("png", make.encode(GREY, "PNG", "1")),
        ("jpg", make.encode(RGB, "JPEG", progressive=True)),
        ("webp", make.encode(RGB, "WEBP")),
        ("bmp", make.encode(RGB, "BMP")),
        ("ppm", make.encode(RGB, "PPM")),
        ("tif", make.encode(RGB, "TIFF")),
        ("tif", make.encode(RGB, "TIFF", compression="tiff_lzw")),
        ("npy", images.encode_npy(make.floats(side=3))),
    ]
    for extension, data in originals:
        for _ in range(200):
            bad = bytearray(data)
            for _ in range(rng.choice([1, 2, 5])):
                bad[rng.randrange(rng.choice([60, len(bad)]))] = rng.randrange(256)
            for read in (images.decode, images.size):
                with suppress(AdvtoolError):
                    read(bytes(bad), extension)
