"""Adversarial pictures at large eps, and the way to them, as grids."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from advtool import keyed, norms
from advtool.data.arrays import Images
from advtool.device import Settings
from advtool.errors import UsageError, unknown
from advtool.evaluation.statistics import accuracy
from advtool.explain.drawing import Cell, Grid, photo
from advtool.explain.interpolate import first_change, interpolate
from advtool.explain.large_eps import large_eps, predict, random_targets
from advtool.explain.results import (
    Columns,
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
from advtool.explain.settings import Explanation, Pursuit
from advtool.values import is_label


@dataclass(frozen=True)
class Goal:
    """What an attack is to do.

    Attributes
    ----------
    labels : target of each image, or its label
    targeted : which of these they are
    names : of the targets; empty without any
    pursuit : with what ball and PGD
    """

    labels: np.ndarray
    targeted: bool
    names: list[str]
    pursuit: Pursuit

    def targets(self) -> dict[str, np.ndarray]:
        return {"target": self.labels} if self.targeted else {}

    def describe(self) -> str:
        pursuit = self.pursuit
        where = f"target {pursuit.target}" if self.targeted else "away from the label"
        return f"{pursuit.norm} eps {pursuit.eps:.4g}, PGD-{pursuit.steps}, {where}"


def large_eps_pictures(
    explanation: Explanation, rows: Sequence[Row], images: Images, settings: Settings, progress: Progress
) -> Result:
    """One row per model of adversarial pictures, under each where it was to go and where it went."""
    goal, count = _goal(explanation, rows, images), explanation.columns
    drawn, reports, cells = [], [], []
    for row in rows:
        adversarial, distance = _attacked(row, images, goal, settings, progress)
        predictions, confidence = _predictions(row, adversarial, settings)
        success = (predictions == goal.labels) == goal.targeted
        drawn.append((row.name, adversarial[:count], [row.class_name(label) for label in predictions]))
        columns: Columns = {"key": images.keys, "label": images.labels, **goal.targets(), "prediction": predictions}
        columns |= {"confidence": confidence, "success": success, "distance": distance}
        reached = accuracy(int(success.sum()), len(images))
        found = summary({"distance": distance, "confidence": confidence})
        facts = {**row.facts, **goal.pursuit.facts}
        reports.append({**facts, "success": reached, **found, "images": records(columns)})
        moved = [shown(found["measures"][name]) for name in ("distance", "confidence")]
        cells.append([row.name, f"{reached['correct']:,}/{reached['n']:,}", *moved])

    def grid() -> Grid:
        def caption(index: int, predicted: str) -> tuple[str, ...]:
            return (*([f"target {goal.names[index]}"] if goal.targeted else []), f"pred. {predicted}")

        made = [
            (name, [Cell(photo(x), caption(index, names[index])) for index, x in enumerate(adversarial)])
            for name, adversarial, names in drawn
        ]
        return Grid([originals(images, count), *made], class_names(images)[:count], goal.describe())

    title = f"{images.name}, {len(images):,} images, {goal.describe()}"
    reach = "target reached" if goal.targeted else "label left"
    return Result(grid, {"models": reports}, (title, ["model", reach, "distance", "confidence"], cells))


@dataclass(frozen=True)
class _Way:
    """A model's pictures on the way, and what it says of them; `pictures` are those to draw, points×columns×C×H×W."""

    row: Row
    pictures: np.ndarray
    predictions: np.ndarray
    confidence: np.ndarray

    def cell(self, index: int, point: int) -> Cell:
        name = self.row.class_name(self.predictions[point, index])
        return Cell(photo(self.pictures[point, index]), f"{name} ({100 * self.confidence[point, index]:.0f}%)")


def interpolation(
    explanation: Explanation, rows: Sequence[Row], images: Images, settings: Settings, progress: Progress
) -> Result:
    """One row per image and model: the way to its large-eps adversarial example. As frames: a row per model."""
    goal, points = _goal(explanation, rows, images), explanation.points
    count, t = min(explanation.columns, len(images)), np.linspace(0, 1, points)
    ways, reports, cells = [], [], []
    for row in rows:
        adversarial, distance = _attacked(row, images, goal, settings, progress)
        way = interpolate(torch.from_numpy(floats(images)), torch.from_numpy(adversarial), points)
        predictions, confidence = (
            part.reshape(points, len(images)) for part in _predictions(row, way.flatten(0, 1).numpy(), settings)
        )
        ways.append(_Way(row, way[:, :count].numpy(), predictions, confidence))
        changes = first_change(torch.from_numpy(predictions))
        columns: Columns = {"key": images.keys, "label": images.labels, **goal.targets()}
        columns |= {"predictions": predictions.T.tolist(), "confidence": confidence.T.tolist()}
        columns |= {"changes_at": changes, "distance": distance}
        found = summary({"changes_at": np.array(changes, np.float64), "distance": distance})
        facts = {**row.facts, **goal.pursuit.facts, "points": points}
        reports.append({**facts, **found, "images": records(columns)})
        moved = [shown(found["measures"][name]) for name in ("changes_at", "distance")]
        cells.append([row.name, f"{found['measures']['changes_at']['n']:,}/{len(images):,}", *moved])

    def heading(index: int) -> str:
        label = class_names(images)[index]
        return f"{label} → {goal.names[index]}" if goal.targeted else label

    def grid() -> Grid:
        drawn = [
            ((way.row.name, heading(index)), [way.cell(index, point) for point in range(points)])
            for index in range(count)
            for way in ways
        ]
        return Grid(drawn, [f"{value:.2f}" for value in t], goal.describe())

    def frames() -> list[Grid]:
        columns = [heading(index) for index in range(count)]
        return [
            Grid(
                [(way.row.name, [way.cell(index, point) for index in range(count)]) for way in ways],
                columns,
                f"{value:.2f} of the way, {goal.describe()}",
            )
            for point, value in enumerate(t)
        ]

    title = f"{images.name}, {len(images):,} images, {goal.describe()}"
    table = (title, ["model", "prediction changes", "where (0–1)", "distance"], cells)
    return Result(grid, {"models": reports}, table, frames)


def _goal(explanation: Explanation, rows: Sequence[Row], images: Images) -> Goal:
    pursuit, classes = explanation.pursuit, min((row.classes for row in rows), key=len)
    target = pursuit.target

    def towards(labels: np.ndarray) -> Goal:
        return Goal(labels, True, [classes[label] for label in labels], pursuit)

    if target == "none":
        return Goal(images.labels, False, [], pursuit)
    if target == "random":
        if len(classes) < 2:
            raise UsageError("the model knows one class only", parameter="target", value="random")
        labels = torch.from_numpy(images.labels)
        return towards(random_targets(labels, keyed.ids_of(images.keys), len(classes), explanation.seed).numpy())
    if target in classes:
        return towards(np.full(len(images), classes.index(target)))
    if is_label(target) and int(target) < len(classes):
        return towards(np.full(len(images), int(target)))
    raise unknown("target", target, ("random", "none", *classes))


def _attacked(
    row: Row, images: Images, goal: Goal, settings: Settings, progress: Progress
) -> tuple[np.ndarray, np.ndarray]:
    """(adversarial images N×C×H×W, their distances)."""
    pursuit = goal.pursuit
    ball = norms.ball(pursuit.norm, pursuit.eps)

    def compute(x: Tensor, y: Tensor, ids: Tensor) -> tuple[Tensor, Tensor]:
        adversarial = large_eps(
            row.model,
            x,
            y,
            ball,
            targeted=goal.targeted,
            steps=pursuit.steps,
            step_size=pursuit.step_size,
        )
        return adversarial, ball.norm(adversarial - x)

    with blaming(row.path):
        adversarial, distance = batchwise(replace(images, labels=goal.labels), settings, progress, compute)
    return adversarial.numpy(), distance.numpy()


def _predictions(row: Row, pixels: np.ndarray, settings: Settings) -> tuple[np.ndarray, np.ndarray]:
    """(predicted classes, their probabilities) of N×C×H×W pixels."""
    with blaming(row.path):
        parts = [predict(row.model, x.to(settings.device)) for x in torch.from_numpy(pixels).split(settings.batch_size)]
    predictions, confidence = (torch.cat(column).cpu().numpy() for column in zip(*parts, strict=True))
    return predictions, confidence
