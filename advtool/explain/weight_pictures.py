"""Weights of linear models as pictures, and against the correlation of pixels and labels."""

from collections.abc import Sequence

import numpy as np

from advtool.data.arrays import Images
from advtool.device import Settings
from advtool.errors import UsageError
from advtool.explain import measures as measuring
from advtool.explain.drawing import Cell, Grid, Scatter, Words, heat
from advtool.explain.results import Progress, Result, Row, records, shown, summary
from advtool.explain.settings import Explanation
from advtool.explain.weights import agreement, correlations, linear_weights


def weights(
    explanation: Explanation, rows: Sequence[Row], images: Images, settings: Settings, progress: Progress
) -> Result:
    """One row per model, the first one the correlations. Computed on the CPU: of `settings` nothing is used."""
    found = [linear_weights(row.model, row.path) for row in rows]
    names = list(rows[0].classes)
    if any(len(row.classes) != len(names) for row in rows):
        raise UsageError("the models have different numbers of classes", parameter="method", value="weights")
    correlation = correlations(images, len(names))
    headings = [f"{names[1]} against {names[0]}"] if len(names) == 2 else names[: len(correlation)]
    reports, cells = [], []
    for row, w in zip(rows, found, strict=True):
        values = {"hoyer": measuring.hoyer(w), "gini": measuring.gini(w), "l1": np.abs(w).sum((1, 2, 3))}
        values["correlation_with_correlation"] = agreement(w, correlation)
        report = summary(values)
        reports.append({**row.facts, **report, "pictures": records({"classes": headings, **values})})
        cells.append([row.name, *(shown(report["measures"][name]) for name in values)])
        progress(len(images))

    def grid() -> Grid:
        columns = explanation.columns
        first: Words = ("feature–label", "correlation")
        made = [(first, correlation), *zip([row.name for row in rows], found, strict=True)]
        drawn = [(name, [Cell(heat(picture)) for picture in maps[:columns]]) for name, maps in made]
        series = [
            (row.name, *_thinned(np.abs(correlation), np.abs(w) / np.abs(w).max()))
            for row, w in zip(rows, found, strict=True)
        ]
        scatter = Scatter(series, "|correlation of pixel and label|", "|weight|, largest = 1")
        return Grid(drawn, headings[:columns], "red is positive, blue negative, white 0", scatter)

    title = f"weights; correlations in {len(images):,} images of {images.name}"
    table = (title, ["model", "Hoyer", "Gini", "l1 norm", "with correlation"], cells)
    return Result(grid, {"models": reports}, table)


def _thinned(x: np.ndarray, y: np.ndarray, most: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """At most so many points, evenly taken."""
    step = -(-x.size // most)
    return x.ravel()[::step], y.ravel()[::step]
