"""Datasets side by side as a grid."""

import warnings
from collections.abc import Sequence
from pathlib import Path

from advtool.data.sources import Source
from advtool.errors import UsageError
from advtool.explain.contact_sheet import contact_sheet
from advtool.explain.drawing import Cell, Grid, photo
from advtool.explain.results import ExplainWarning, Result
from advtool.explain.settings import COLUMNS


def samples(
    sources: Sequence[Source],
    n: int | None = 10,
    seed: int | None = None,
    names: Sequence[str] = (),
    columns: int = COLUMNS,
) -> Result:
    """One row per dataset, one column per source image: see `contact_sheet.contact_sheet`.

    Parameters
    ----------
    n : number of images of the first source, drawn at random if there is a `seed`; None for all
    names : of the rows; by default those of the sources
    columns : images to draw

    Raises
    ------
    UsageError
        if there is not one name per source
    AdvtoolError
        if no image is in all the sources
    """
    names = list(names) or [Path(source.name.rstrip("/")).name for source in sources]
    if len(names) != len(sources):
        raise UsageError(f"{len(names)} for {len(sources)} sources", parameter="names")
    sheet = contact_sheet(sources, n, seed)
    if sheet.missing:
        text = f"{sheet.missing} images of {sources[0].name} are not in all the others: left out"
        warnings.warn(text, ExplainWarning, stacklevel=2)

    def grid() -> Grid:
        return Grid(
            [
                (name, [Cell(photo(pixels), text) for pixels, text in row[:columns]])
                for name, row in zip(names, sheet.rows, strict=True)
            ]
        )

    rows = [{"name": name, "labels": [text for _, text in row]} for name, row in zip(names, sheet.rows, strict=True)]
    return Result(grid, {"keys": sheet.keys, "missing": sheet.missing, "rows": rows})
