"""Adversarial pictures at large eps, and the way to them, as grids."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from advtool import keyed, registry
from advtool.cli import console
from advtool.data.arrays import Images
from advtool.device import Settings
from advtool.errors import UsageError, unknown
from advtool.evaluation.statistics import accuracy
from advtool.explain.drawing import Cell, Grid, photo
from advtool.explain.interpolate import first_change, interpolate
from advtool.explain.large_eps import STEPS, default_eps, large_eps, predict, random_targets
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


@dataclass(frozen=True)
class Goal:
    """What an attack is to do.

    Attributes
    ----------
    labels : target of each image, or its label
    targeted : which of these they are
    names : of the targets; empty without any
    norm, eps, steps, step_size, target : as asked, or by default
    """

    labels: np.ndarray
    targeted: bool
    names: list[str]
    norm: str
    eps: float
    steps: int
    step_size: float | None
    target: str

    @property
    def facts(self) -> dict:
        return {"adv": self.norm, "eps": self.eps, "steps": self.steps, "target": self.target}

    def targets(self) -> dict:
        return {"target": self.labels} if self.targeted else {}

    def describe(self) -> str:
        where = f"target {self.target}" if self.targeted else "away from the label"
        return f"{self.norm} eps {self.eps:.4g}, PGD-{self.steps}, {where}"


def large_eps_pictures(plan, rows: list[Row], images: Images, settings: Settings) -> Made:
    """One row a model of adversarial pictures, under each where it was to go and where it went."""
    goal = _goal(plan, rows, images)
    drawn, reports, cells = [], [], []
    with console.bar("attacking", len(images) * len(rows)) as advance:
        for row in rows:
            adversarial, distance = _attacked(row, images, goal, settings, advance)
            predictions, confidence = _predictions(row, adversarial, settings)
            success = (predictions == goal.labels) == goal.targeted
            drawn.append((row.name, adversarial[: plan.columns], _named(row, predictions)))
            columns = {"key": images.keys, "label": images.labels, **goal.targets(), "prediction": predictions}
            columns |= {"confidence": confidence, "success": success, "distance": distance}
            reached = accuracy(int(success.sum()), len(images))
            found = summary({"distance": distance, "confidence": confidence})
            reports.append({**row.facts, **goal.facts, "success": reached, **found, "images": records(columns)})
            moved = [shown(found["measures"][name]) for name in ("distance", "confidence")]
            cells.append([row.name, f"{reached['correct']:,}/{reached['n']:,}", *moved])

    def grid() -> Grid:
        def caption(index: int, predicted: str) -> str:
            return (f"target {goal.names[index]}\n" if goal.targeted else "") + f"pred. {predicted}"

        made = [
            (name, [Cell(photo(x), caption(index, names[index])) for index, x in enumerate(adversarial)])
            for name, adversarial, names in drawn
        ]
        return Grid([originals(images, plan.columns), *made], class_names(images)[: plan.columns], goal.describe())

    title = f"{images.name}, {len(images):,} images, {goal.describe()}"
    reach = "target reached" if goal.targeted else "label left"
    return Made(grid, {"models": reports}, (title, ["model", reach, "distance", "confidence"], cells))


def interpolation(plan, rows: list[Row], images: Images, settings: Settings) -> Made:
    """One row an image and model: the way to its large-eps adversarial example. As frames: a row a model."""
    goal = _goal(plan, rows, images)
    count, t = min(plan.columns, len(images)), np.linspace(0, 1, plan.points)
    ways, reports, cells = [], [], []
    with console.bar("attacking", len(images) * len(rows)) as advance:
        for row in rows:
            adversarial, distance = _attacked(row, images, goal, settings, advance)
            start = torch.from_numpy(floats(images))
            way = interpolate(start, torch.from_numpy(adversarial), plan.points)
            predictions, confidence = (
                part.reshape(plan.points, len(images))
                for part in _predictions(row, way.flatten(0, 1).numpy(), settings)
            )
            ways.append((row, way[:, :count].numpy(), predictions, confidence))
            changes = first_change(torch.from_numpy(predictions))
            columns = {"key": images.keys, "label": images.labels, **goal.targets()}
            columns |= {"predictions": predictions.T.tolist(), "confidence": confidence.T.tolist()}
            columns |= {"changes_at": changes, "distance": distance}
            found = summary({"changes_at": np.array(changes, np.float64), "distance": distance})
            reports.append({**row.facts, **goal.facts, "points": plan.points, **found, "images": records(columns)})
            moved = [shown(found["measures"][name]) for name in ("changes_at", "distance")]
            cells.append([row.name, f"{found['measures']['changes_at']['n']:,}/{len(images):,}", *moved])

    def cell(way, index: int, point: int) -> Cell:
        row, pictures, predictions, confidence = way
        name = row.model.spec.classes[predictions[point, index]]
        return Cell(photo(pictures[point, index]), f"{name} ({100 * confidence[point, index]:.0f}%)")

    def heading(index: int) -> str:
        label = class_names(images)[index]
        return f"{label} → {goal.names[index]}" if goal.targeted else label

    def grid() -> Grid:
        drawn = [
            (f"{way[0].name}\n{heading(index)}", [cell(way, index, point) for point in range(plan.points)])
            for index in range(count)
            for way in ways
        ]
        return Grid(drawn, [f"{value:.2f}" for value in t], goal.describe())

    def frames() -> list[Grid]:
        columns = [heading(index) for index in range(count)]
        return [
            Grid(
                [(way[0].name, [cell(way, index, point) for index in range(count)]) for way in ways],
                columns,
                f"{value:.2f} of the way, {goal.describe()}",
            )
            for point, value in enumerate(t)
        ]

    title = f"{images.name}, {len(images):,} images, {goal.describe()}"
    table = (title, ["model", "prediction changes", "where (0–1)", "distance"], cells)
    return Made(grid, {"models": reports}, table, frames)


def _goal(plan, rows: list[Row], images: Images) -> Goal:
    eps = default_eps(plan.norm, images.head.shape) if plan.eps is None else plan.eps
    classes = min((row.model.spec.classes for row in rows), key=len)

    def goal(labels: np.ndarray, targeted: bool = True) -> Goal:
        names = [classes[label] for label in labels] if targeted else []
        return Goal(labels, targeted, names, plan.norm, eps, plan.steps or STEPS, plan.step_size, plan.target)

    if plan.target == "none":
        return goal(images.labels, targeted=False)
    if plan.target == "random":
        if len(classes) < 2:
            raise UsageError("--target random: the model knows one class only")
        labels = torch.from_numpy(images.labels)
        return goal(random_targets(labels, keyed.ids_of(images.keys), len(classes), plan.seed).numpy())
    if plan.target in classes:
        return goal(np.full(len(images), classes.index(plan.target)))
    if plan.target.isdecimal() and int(plan.target) < len(classes):
        return goal(np.full(len(images), int(plan.target)))
    raise unknown("--target", plan.target, ("random", "none", *classes))


def _attacked(row: Row, images: Images, goal: Goal, settings: Settings, advance) -> tuple[np.ndarray, np.ndarray]:
    """(adversarial images N×C×H×W, their distances)."""

    def compute(x, y, ids):
        options = {"targeted": goal.targeted, "steps": goal.steps, "step_size": goal.step_size}
        ball = registry.ball(goal.norm, goal.eps)
        adversarial = large_eps(row.model, x, y, ball, **options)
        return adversarial, ball.norm(adversarial - x)

    with blaming(row.file):
        adversarial, distance = batchwise(replace(images, labels=goal.labels), settings, advance, compute)
    return adversarial.numpy(), distance.numpy()


def _predictions(row: Row, pixels: np.ndarray, settings: Settings) -> tuple[np.ndarray, np.ndarray]:
    """(predicted classes, their probabilities) of N×C×H×W pixels."""
    with blaming(row.file):
        parts = [predict(row.model, x.to(settings.device)) for x in torch.from_numpy(pixels).split(settings.batch_size)]
    predictions, confidence = (torch.cat(column).cpu().numpy() for column in zip(*parts, strict=True))
    return predictions, confidence


def _named(row: Row, labels: np.ndarray) -> list[str]:
    return [row.model.spec.classes[label] for label in labels]
