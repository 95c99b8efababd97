"""Grids of small pictures with words around them, as PNG, PDF, SVG or animated GIF.

Pyplot is not needed, so there is no display, no global state, and the same grid gives the same bytes.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from advtool.io.figures import save, words
from advtool.visible import visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from PIL.Image import Image

_DPI = 100
_SMALL, _LARGE, _WIDEST = 84, 224, 16_000
_FONT, _LINE, _GAP = 9, 15, 4
_LONGEST, _LONGEST_NOTE = 28, 200

Words = str | tuple[str, ...]
"""One line of text, or several. What is in a line may come from outside: a line break there is shown as such."""


@dataclass(frozen=True)
class Cell:
    """A picture, uint8 H×W×3, with the lines under it."""

    picture: np.ndarray
    caption: Words = ""


@dataclass(frozen=True)
class Scatter:
    """Points below a grid: for each series a name, x and y."""

    series: list[tuple[str, np.ndarray, np.ndarray]]
    xlabel: str
    ylabel: str


@dataclass(frozen=True)
class Grid:
    """Rows of cells with a label at the left of each, words above the columns, and a line below it all."""

    rows: Sequence[tuple[Words, Sequence[Cell]]]
    columns: Sequence[Words] = field(default_factory=list)
    note: str = ""
    scatter: Scatter | None = None


def photo(pixels: np.ndarray) -> np.ndarray:
    """An image C×H×W in [0, 1] as it is: uint8 H×W×3."""
    levels = np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8)
    return np.broadcast_to(levels.transpose(1, 2, 0), (*levels.shape[1:], 3))


def heat(attribution: np.ndarray) -> np.ndarray:
    """A signed map C×H×W as colours, uint8 H×W×3.

    One channel goes from blue over white, which is 0, to red, the largest magnitude at full colour (Collins et al.
    2019, figure 1). Three are clipped to three standard deviations around 0 and scaled to [0, 1], so that 0 is grey
    (Tsipras et al. 2018, figure 5).
    """
    a = attribution.astype(np.float64)
    a = a / max(np.abs(a).max(), np.finfo(np.float64).tiny)
    if len(a) == 1:
        v = a[0]
        return np.rint(255 * np.stack([1 - np.maximum(-v, 0), 1 - np.abs(v), 1 - np.maximum(v, 0)], -1)).astype(
            np.uint8
        )
    limit = max(3 * a.std(), np.finfo(np.float64).tiny)
    return photo(np.clip(a, -limit, limit) / (2 * limit) + 0.5)


def to_bytes(grid: Grid, file_format: str) -> bytes:
    """The grid as a file of one of `io.figures.FORMATS`."""
    figure, out = _figure(grid), io.BytesIO()
    if file_format == "png":
        _raster(figure).save(out, "PNG", optimize=True)
    else:
        save(figure, out, file_format)
    return out.getvalue()


def to_gif(frames: Sequence[Grid], milliseconds: int = 150) -> bytes:
    """The grids one after another, there and back, without end; the first and last stay longer."""
    pictures = [_raster(_figure(grid)) for grid in frames]
    pictures = [*pictures, *pictures[-2:0:-1]]
    durations = [milliseconds] * len(pictures)
    durations[0] = durations[len(frames) - 1] = 5 * milliseconds
    out = io.BytesIO()
    pictures[0].save(out, "GIF", save_all=True, append_images=pictures[1:], duration=durations, loop=0)
    return out.getvalue()


def _raster(figure: "Figure") -> "Image":
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy())


def _figure(grid: Grid) -> "Figure":
    """All at whole pixels, so that small images are enlarged without uneven pixels."""
    from matplotlib.figure import Figure

    height, width = _cell_size(grid)
    labels = [_lines(label) for label, _ in grid.rows]
    left = 4 * _GAP + max((_width(line) for lines in labels for line in lines), default=0)
    top = _GAP + _LINE * max((len(_lines(text)) for text in grid.columns), default=0)
    under = [_LINE * max((len(_lines(cell.caption)) for cell in cells), default=0) for _, cells in grid.rows]
    scatter = 320 if grid.scatter else 0
    note_lines = _lines(grid.note, _LONGEST_NOTE)
    note = _LINE + _GAP if grid.note else 0
    columns = max(len(cells) for _, cells in grid.rows)
    fitting = max(4, int((width + _GAP) / 6.5))
    total_width = max(left + columns * (width + _GAP), _width("".join(note_lines)) + _GAP, 420 if scatter else 0) + _GAP
    total_height = top + sum(height + below + _GAP for below in under) + scatter + note
    total_width, total_height = round(total_width), round(total_height)
    figure = Figure(figsize=(total_width / _DPI, total_height / _DPI), dpi=_DPI, facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.axis("off")
    for column, text in enumerate(grid.columns):
        x = left + column * (width + _GAP) + width / 2
        _write(axes, x, top - _GAP / 2, _lines(text, fitting), "center", "bottom")
    y = top
    for (_, cells), label, below in zip(grid.rows, labels, under, strict=True):
        _write(axes, left - 2 * _GAP, y + height / 2, label, "right", "center")
        for column, cell in enumerate(cells):
            x = left + column * (width + _GAP)
            picture = _reduced(cell.picture, height, width)
            axes.imshow(picture, extent=(x, x + width, y + height, y), interpolation="nearest", aspect="auto")
            _write(axes, x + width / 2, y + height + 1, _lines(cell.caption, fitting), "center", "top")
        y += height + below + _GAP
    if grid.scatter:
        _scatter(figure, grid.scatter, (64, y + 8, min(total_width - 80, 480), scatter - 56), total_width, total_height)
    _write(axes, _GAP, total_height - _GAP / 2, note_lines, "left", "bottom")
    axes.set_xlim(0, total_width)
    axes.set_ylim(total_height, 0)
    return figure


def _scatter(
    figure: "Figure", scatter: Scatter, box: tuple[float, float, float, float], width: float, height: float
) -> None:
    x, y, w, h = box
    axes = figure.add_axes((x / width, 1 - (y + h) / height, w / width, h / height))
    for name, along, up in scatter.series:
        axes.scatter(along, up, s=4, alpha=0.5, linewidths=0, label=words(" ".join(_lines(name))))
    axes.set_xlabel(scatter.xlabel, fontsize=_FONT)
    axes.set_ylabel(scatter.ylabel, fontsize=_FONT)
    axes.tick_params(labelsize=_FONT - 1)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=_FONT, markerscale=3)


def _cell_size(grid: Grid) -> tuple[int, int]:
    """(height, width) of the cells: a whole multiple of small images, at most 224 pixels, less if there are many."""
    height, width = (max(c.picture.shape[axis] for _, cells in grid.rows for c in cells) for axis in (0, 1))
    columns = max(len(cells) for _, cells in grid.rows)
    longest, room = max(height, width), max(_WIDEST // columns, 8)
    scale = max(1, round(_SMALL / longest)) if longest < _LARGE else _LARGE / longest
    scale = min(scale, room / longest)
    return max(1, round(height * scale)), max(1, round(width * scale))


def _reduced(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """A picture that is larger than its cell, averaged down to it."""
    if picture.shape[0] <= height and picture.shape[1] <= width:
        return picture
    from PIL import Image

    return np.asarray(Image.fromarray(np.ascontiguousarray(picture)).resize((width, height), Image.Resampling.BOX))


def _width(text: str) -> int:
    """Pixels that one line of text takes."""
    from matplotlib.backends.backend_agg import RendererAgg
    from matplotlib.font_manager import FontProperties

    return round(RendererAgg(1, 1, _DPI).get_text_width_height_descent(text, FontProperties(size=_FONT), False)[0])


def _write(axes: "Axes", x: float, y: float, lines: list[str], across: str, along: str) -> None:
    if text := "\n".join(lines):
        axes.text(x, y, text, ha=across, va=along, fontsize=_FONT, parse_math=False, linespacing=1.1)


def _lines(text: Words, longest: int = _LONGEST) -> list[str]:
    """Visible lines of bounded length."""
    lines = [visible(line) for line in ((text,) if isinstance(text, str) else text)] if text else []
    return [line if len(line) <= longest else line[: longest - 1] + "…" for line in lines]
