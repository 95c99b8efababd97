"""Gradient, integrated gradients and SmoothGrad as a grid, with measures of each row."""

import numpy as np

from advtool.cli import console
from advtool.data.arrays import Images
from advtool.device import Settings
from advtool.explain import saliency
from advtool.explain.attribution_shards import Attributions
from advtool.explain.drawing import Cell, Grid, heat
from advtool.explain.large_eps import predict
from advtool.explain.measures import all_measures
from advtool.explain.results import (
    Made,
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

ATTRIBUTIONS = ("gradient", "integrated-gradients", "smoothgrad")
_COLUMNS = ["hoyer", "gini", "total_variation", "edge_alignment", "class_mean_alignment"]


def attributions(plan, rows: list[Row], images: Images, settings: Settings) -> Made:
    """One row a model and method."""
    pixels, made, reports, first = floats(images), [], [], None
    with console.bar("explaining", len(images) * len(rows) * len(plan.methods)) as advance:
        for row in rows:
            for method in plan.methods:
                with blaming(row.file):
                    found, predictions, extra = _attribute(plan, method, row, images, settings, advance)
                facts = {**row.facts, **_settings(plan, method)}
                measures = all_measures(found, pixels, images.labels, facts["of"]) | extra
                name = "\n".join([row.name] * (len(rows) > 1) + [method] * (len(plan.methods) > 1)) or row.name
                _warn(name, measures)
                made.append(Attributions(name, facts, found))
                identity = {"key": images.keys, "label": images.labels, "prediction": predictions}
                reports.append({**facts, **summary(measures, first), "images": records(identity | measures)})
                first = first or measures

    def grid() -> Grid:
        count = min(plan.columns, len(images))
        drawn = [(row.name, [Cell(heat(values)) for values in row.values[:count]]) for row in made]
        return Grid([originals(images, count), *drawn], class_names(images)[:count], _note(plan, len(pixels[0])))

    cells = [
        [row.name.replace("\n", " "), *(shown(report["measures"][name]) for name in _COLUMNS)]
        for row, report in zip(made, reports, strict=True)
    ]
    title = f"{images.name}{f' {images.split}' if images.split else ''}, {len(images):,} images, mean ± standard error"
    table = (title, ["row", "Hoyer", "Gini", "total variation", "on edges", "to class means"], cells)
    return Made(grid, {"models": reports}, table, attributions=made)


def _attribute(plan, method: str, row: Row, images: Images, settings: Settings, advance):
    """(attributions, predictions, measures that only this method has), NumPy arrays with one entry an image."""
    of = _quantity(plan, method)

    def compute(x, y, ids):
        if method == "gradient":
            found = saliency.gradient(row.model, x, y, of)
        elif method == "integrated-gradients":
            found = saliency.integrated_gradients(row.model, x, y, of, baseline=plan.baseline, steps=plan.steps)
        else:
            copies = plan.steps or saliency.SMOOTHGRAD_COPIES
            options = {"variance": plan.variance, "copies": copies, "ids": ids, "seed": plan.seed}
            found = saliency.smoothgrad(row.model, x, y, of, **options)
        errors = saliency.completeness_error(row.model, x, y, found, of, plan.baseline)
        return found, predict(row.model, x)[0], errors

    found, predictions, errors = (part.numpy() for part in batchwise(images, settings, advance, compute))
    return found, predictions, {"completeness_error": errors} if method == "integrated-gradients" else {}


def _settings(plan, method: str) -> dict:
    own = {
        "gradient": {},
        "integrated-gradients": {"baseline": plan.baseline, "steps": plan.steps},
        "smoothgrad": {"variance": plan.variance, "copies": plan.steps or saliency.SMOOTHGRAD_COPIES},
    }[method]
    return {"method": method, "of": _quantity(plan, method), **own}


def _quantity(plan, method: str) -> str:
    return plan.of or ("loss" if method == "gradient" else "logit")


def _warn(name: str, measures: dict[str, np.ndarray]) -> None:
    name = name.replace("\n", " ")
    if zero := int(np.isnan(measures["gini"]).sum()):
        console.say(f"warning: {name}: the attribution is 0 everywhere on {zero} of {len(measures['gini'])} images")
    if incomplete := int((measures.get("completeness_error", np.zeros(0)) > saliency.COMPLETE).sum()):
        console.say(f"warning: {name}: integrated gradients are off by more than 1% on {incomplete} images (--steps)")


def _note(plan, channels: int) -> str:
    """What the colours mean."""
    if channels > 1:
        of = " and ".join(sorted({_quantity(plan, method) for method in plan.methods}))
        return f"of the {of}; each picture clipped to ±3σ, grey is 0"
    meaning = {"loss": "red raises the loss", "logit": "red speaks for the label"}
    parts = []
    for of, words in meaning.items():
        methods = [method for method in plan.methods if _quantity(plan, method) == of]
        if methods:
            parts.append(words if len(methods) == len(plan.methods) else f"{', '.join(methods)}: {words}")
    return f"{'; '.join(parts)}, blue the opposite; white is 0; each picture has its own scale"
