"""The methods of ``advtool explain``: each computes for all models, and says how to draw and report it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from advtool.cli import console
from advtool.data.arrays import Images
from advtool.data.sources import Source
from advtool.device import Settings
from advtool.errors import UsageError
from advtool.explain import measures as measuring
from advtool.explain import weights as linear
from advtool.explain.attack_pictures import interpolation, large_eps_pictures
from advtool.explain.attribution_pictures import ATTRIBUTIONS, attributions
from advtool.explain.contact_sheet import contact_sheet
from advtool.explain.drawing import Cell, Grid, Scatter, heat, photo
from advtool.explain.results import Made, Row, records, shown, summary


def weights(plan, rows: list[Row], images: Images, settings: Settings) -> Made:
    """Weights of linear models as pictures, and against the correlation of pixels and labels."""
    found = [linear.linear_weights(row.model, row.file.path) for row in rows]
    classes = len(rows[0].model.spec.classes)
    if any(len(row.model.spec.classes) != classes for row in rows):
        raise UsageError("--method weights: the models have different numbers of classes")
    correlation, names = linear.correlations(images, classes), list(rows[0].model.spec.classes)
    headings = [f"{names[1]} against {names[0]}"] if classes == 2 else names[: len(correlation)]
    reports, cells = [], []
    for row, w in zip(rows, found, strict=True):
        values = {"hoyer": measuring.hoyer(w), "gini": measuring.gini(w), "l1": np.abs(w).sum((1, 2, 3))}
        values["correlation_with_correlation"] = linear.agreement(w, correlation)
        report = summary(values)
        reports.append({**row.facts, **report, "pictures": records({"classes": headings, **values})})
        cells.append([row.name, *(shown(report["measures"][name]) for name in values)])

    def grid() -> Grid:
        made = [("feature–label\ncorrelation", correlation), *zip([row.name for row in rows], found, strict=True)]
        drawn = [(name, [Cell(heat(picture)) for picture in maps[: plan.columns]]) for name, maps in made]
        series = [
            (row.name, *_thinned(np.abs(correlation), np.abs(w) / np.abs(w).max()))
            for row, w in zip(rows, found, strict=True)
        ]
        scatter = Scatter(series, "|correlation of pixel and label|", "|weight|, largest = 1")
        return Grid(drawn, headings[: plan.columns], "red is positive, blue negative, white 0", scatter)

    title = f"weights; correlations in {len(images):,} images of {images.name}"
    table = (title, ["model", "Hoyer", "Gini", "l1 norm", "with correlation"], cells)
    return Made(grid, {"models": reports}, table)


def samples(plan, sources: list[Source]) -> Made:
    """One row a dataset, one column a source image."""
    names = list(plan.names) or [Path(source.name.rstrip("/")).name for source in sources]
    if len(names) != len(sources):
        raise UsageError(f"--names: {len(names)} for {len(sources)} sources")
    sheet = contact_sheet(sources, plan.n, plan.seed if plan.random else None)
    if sheet.missing:
        console.say(f"warning: {sheet.missing} images of {sources[0].name} are not in all the others: left out")

    def grid() -> Grid:
        return Grid(
            [
                (name, [Cell(photo(pixels), text) for pixels, text in row[: plan.columns]])
                for name, row in zip(names, sheet.rows, strict=True)
            ]
        )

    rows = [{"name": name, "labels": [text for _, text in row]} for name, row in zip(names, sheet.rows, strict=True)]
    return Made(grid, {"keys": sheet.keys, "missing": sheet.missing, "rows": rows})


PICTURES: dict[str, Callable[..., Made]] = {
    **dict.fromkeys(ATTRIBUTIONS, attributions),
    "large-eps": large_eps_pictures,
    "interpolate": interpolation,
    "weights": weights,
}


def _thinned(x: np.ndarray, y: np.ndarray, most: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """At most so many points, evenly taken."""
    step = -(-x.size // most)
    return x.ravel()[::step], y.ravel()[::step]
