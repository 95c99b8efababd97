"""Gradient, integrated gradients and SmoothGrad as a grid, with measures of each row."""

import warnings
from collections.abc import Sequence

import numpy as np
from torch import Tensor

from advtool.data.arrays import Images
from advtool.device import Settings
from advtool.explain.attribution_shards import Attributions
from advtool.explain.drawing import Cell, Grid, heat
from advtool.explain.large_eps import predict
from advtool.explain.measures import all_measures
from advtool.explain.results import (
    Columns,
    ExplainWarning,
    Progress,
    Result,
    Row,
    batchwise,
    blaming,
    class_names,
    floats,
    originals,
    records,
    shown,
    summary,
)
from advtool.explain.saliency import COMPLETE, completeness_error
from advtool.explain.settings import Attributor, Explanation

_COLUMNS = ["hoyer", "gini", "total_variation", "edge_alignment", "class_mean_alignment"]


def attributions(
    explanation: Explanation, rows: Sequence[Row], images: Images, settings: Settings, progress: Progress
) -> Result:
    """One row per model and method."""
    attributors = explanation.attributors
    pixels, made, reports = floats(images), [], []
    first: dict[str, np.ndarray] | None = None
    for row in rows:
        for attributor in attributors:
            with blaming(row.path):
                found, predictions, errors = _attributed(attributor, row, images, settings, progress)
            facts = {**row.facts, **attributor.facts}
            measures = all_measures(found, pixels, images.labels, attributor.of)
            measures |= {} if errors is None else {"completeness_error": errors}
            method = attributor.method
            name = (row.name,) * (len(rows) > 1) + (method,) * (len(attributors) > 1) or (row.name,)
            _warn(" ".join(name), measures)
            made.append(Attributions(name, facts, found))
            identity: Columns = {"key": images.keys, "label": images.labels, "prediction": predictions}
            reports.append({**facts, **summary(measures, first), "images": records({**identity, **measures})})
            first = first or measures

    def grid() -> Grid:
        count = min(explanation.columns, len(images))
        drawn = [(row.name, [Cell(heat(values)) for values in row.values[:count]]) for row in made]
        note = _note(attributors, len(pixels[0]))
        return Grid([originals(images, count), *drawn], class_names(images)[:count], note)

    cells = [
        [" ".join(row.name), *(shown(report["measures"][name]) for name in _COLUMNS)]
        for row, report in zip(made, reports, strict=True)
    ]
    title = f"{images.name}{f' {images.split}' if images.split else ''}, {len(images):,} images, mean ± standard error"
    table = (title, ["row", "Hoyer", "Gini", "total variation", "on edges", "to class means"], cells)
    return Result(grid, {"models": reports}, table, attributions=made)


def _attributed(
    attributor: Attributor, row: Row, images: Images, settings: Settings, progress: Progress
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """(attributions, predictions, errors of completeness where the method promises that), one entry per image."""

    def compute(x: Tensor, y: Tensor, ids: Tensor) -> list[Tensor]:
        found = attributor(row.model, x, y, ids)
        parts = [found, predict(row.model, x)[0]]
        if attributor.is_complete:
            parts.append(completeness_error(row.model, x, y, found, attributor.of, attributor.baseline))
        return parts

    found, predictions, *errors = (part.numpy() for part in batchwise(images, settings, progress, compute))
    return found, predictions, errors[0] if errors else None


def _warn(name: str, measures: dict[str, np.ndarray]) -> None:
    if zero := int(np.isnan(measures["gini"]).sum()):
        n = len(measures["gini"])
        warnings.warn(f"{name}: the attribution is 0 everywhere on {zero} of {n} images", ExplainWarning, stacklevel=3)
    if incomplete := int((measures.get("completeness_error", np.zeros(0)) > COMPLETE).sum()):
        warnings.warn(
            f"{name}: integrated gradients are off by more than 1% on {incomplete} images; more steps come closer",
            ExplainWarning,
            stacklevel=3,
        )


def _note(attributors: Sequence[Attributor], channels: int) -> str:
    """What the colours mean."""
    if channels > 1:
        of = " and ".join(sorted({attributor.of for attributor in attributors}))
        return f"of the {of}; each picture clipped to ±3σ, grey is 0"
    meaning = {"loss": "red raises the loss", "logit": "red speaks for the label"}
    parts = []
    for of, words in meaning.items():
        methods = [attributor.method for attributor in attributors if attributor.of == of]
        if methods:
            parts.append(words if len(methods) == len(attributors) else f"{', '.join(methods)}: {words}")
    return f"{'; '.join(parts)}, blue the opposite; white is 0; each picture has its own scale"
