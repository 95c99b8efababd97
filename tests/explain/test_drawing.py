"""Grids as files: what is in each pixel, and that nothing in the words breaks them."""

import io

import numpy as np
import pytest
from PIL import Image

from advtool.explain.drawing import Cell, Grid, Scatter, heat, photo, to_bytes, to_gif


def opened(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def contains(canvas: np.ndarray, picture: np.ndarray) -> bool:
    """Whether the picture is in the canvas pixel by pixel."""
    height, width = picture.shape[:2]
    windows = np.lib.stride_tricks.sliding_window_view(canvas, (height, width, 3))[:, :, 0]
    starts = np.argwhere((windows[:, :, 0, 0] == picture[0, 0]).all(-1))
    return any((windows[y, x] == picture).all() for y, x in starts)


def test_grey_heat_is_blue_white_red():
    colours = heat(np.array([[[-2.0, 0.0, 2.0, 1.0]]]))
    assert colours.tolist() == [[[0, 0, 255], [255, 255, 255], [255, 0, 0], [255, 128, 128]]]
    assert (heat(np.zeros((1, 2, 2))) == 255).all()
    np.testing.assert_array_equal(heat(np.array([[[1e-30, -1e-30]]])), heat(np.array([[[1.0, -1.0]]])))


def test_colour_heat_is_clipped_to_three_deviations():
    a = np.random.default_rng(0).normal(size=(3, 40, 40))
    a[0, 0, 0], a[1, 0, 0], a[2, 0, 0] = 1000, 0, -1000
    limit = 3 * a.std()
    assert heat(a)[0, 0].tolist() == [255, 128, 0]
    expected = np.rint(255 * (np.clip(a, -limit, limit) / (2 * limit) + 0.5)).transpose(1, 2, 0)
    assert np.abs(heat(a).astype(int) - expected).max() <= 1
    assert (heat(np.zeros((3, 2, 2))) == 128).all()


def test_every_image_is_there_enlarged_by_a_whole_factor():
    rng = np.random.default_rng(1)
    pictures = [photo(rng.random((3, 28, 28))) for _ in range(4)]
    grid = Grid(
        [("a rather long label", [Cell(p) for p in pictures[:2]]), ("b", [Cell(p, ("x", "y")) for p in pictures[2:]])],
        ["left", "right"],
        "a note",
    )
    canvas = opened(to_bytes(grid, "png"))
    for picture in pictures:
        assert contains(canvas, picture.repeat(3, 0).repeat(3, 1))
    assert to_bytes(grid, "png") == to_bytes(grid, "png")


def test_row_labels_are_not_cut_off():
    cell = [Cell(photo(np.zeros((1, 8, 8))))]
    canvas = opened(to_bytes(Grid([(("WWWWWWWWWWWWWWWWWWWWWWWWWWWW", "m"), cell)]), "png"))
    assert (canvas[:, :3] == 255).all() and (canvas[:, 3:100] < 100).any()


@pytest.mark.parametrize(("file_format", "start"), [("pdf", b"%PDF"), ("svg", b"<?xml"), ("png", b"\x89PNG")])
def test_words_are_only_words(file_format, start):
    nasty = "$\\frac{$ <b>&amp; \x00\x1b[31m \ud800 日本 " + "x" * 300
    cell = Cell(photo(np.zeros((1, 4, 4))), nasty)
    scatter = Scatter([(nasty, np.zeros(3), np.ones(3))], "x", "y")
    data = to_bytes(Grid([(nasty, [cell])], [nasty], nasty, scatter), file_format)
    assert data.startswith(start)


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 1, 900), (3, 3000, 2000), (1, 8, 8)])
def test_any_size_of_image_and_any_number(shape):
    picture = photo(np.random.default_rng(2).random(shape))
    height, width = opened(to_bytes(Grid([("row", [Cell(picture)])]), "png")).shape[:2]
    assert height < 400 and width < 400
    many = Grid([("row", [Cell(picture[:300, :300])] * 100)])
    assert opened(to_bytes(many, "png")).shape[1] < 25_000


def test_large_images_are_averaged_down():
    checks = np.indices((600, 600)).sum(0) % 2
    canvas = opened(to_bytes(Grid([("", [Cell(photo(checks[None]))])]), "png"))
    middle = canvas[50:180, 50:180].astype(int)
    assert np.abs(middle - 128).max() < 40


def test_animation_goes_there_and_back():
    frames = [Grid([("r", [Cell(photo(np.full((1, 8, 8), level)))])]) for level in (0.0, 0.5, 1.0)]
    gif = Image.open(io.BytesIO(to_gif(frames)))
    levels = []
    for index in range(gif.n_frames):
        gif.seek(index)
        picture = np.asarray(gif.convert("L"))
        levels.append(int(picture[picture.shape[0] // 2, -20]))
    assert (
        len(levels) == 4 and levels[0] == 0 and abs(levels[1] - 128) < 4 and levels[2] == 255 and levels[3] == levels[1]
    )
    assert gif.info["loop"] == 0
