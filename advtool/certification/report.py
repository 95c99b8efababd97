"""What was certified as a report."""

import math
import statistics
from collections.abc import Sequence
from typing import Any

import numpy as np

from advtool.certification.bracket import ATTACK, DRAWS, STEPS
from advtool.certification.plan import Certification
from advtool.certification.record import Certified
from advtool.data.arrays import Images
from advtool.data.matching import Matching
from advtool.device import Settings
from advtool.evaluation.running import Subject, data_of
from advtool.evaluation.statistics import accuracy

SCHEMA = 1


def described(
    plan: Certification,
    subject: Subject,
    images: Images,
    found: Sequence[Certified],
    *,
    sigma: float,
    clean: int,
    classes: int,
    matching: Matching | None,
    margin: float,
    moved: float,
    settings: Settings,
    seconds: float,
) -> dict[str, Any]:
    """The report that ``advtool certify --json`` prints.

    Parameters
    ----------
    images : a part of them, for what is said of their source
    clean : how many the network gets right without noise
    margin, moved : the largest of any image, see `GridNoise.margin` and `OnGrid`
    """
    n = len(found)
    right = sum(each.prediction == each.label for each in found)
    abstained = sum(each.prediction is None for each in found)
    radii = [each.radius if each.prediction == each.label else 0.0 for each in found]
    certified: list[dict[str, Any]] = []
    for radius in () if plan.predict else plan.reported(sigma):
        entry = {"radius": radius, **accuracy(sum(each.counts_at(radius) for each in found), n)}
        undecided = sum(each.undecided and not each.counts_at(radius) for each in found)
        standing = sum(each.stands_at(radius) for each in found)
        entry |= {"undecided": undecided if plan.radii is not None else 0}
        certified.append({**entry, "attacked": accuracy(standing, n) if plan.bracket else None})
    return {
        "schema": SCHEMA,
        "command": "certify",
        "checkpoint": subject.to_json(),
        "data": data_of(images, n, classes, matching),
        "adv": "l2",
        "sigma": sigma,
        **plan.to_json(),
        "guarantee": plan.guarantee(n),
        "noise_margin": margin,
        "rounded_by": moved,
        "clean": accuracy(clean, n),
        "smoothed": accuracy(right, n) if plan.answers else None,
        "abstained": abstained,
        "wrong": n - right - abstained,
        "certified": certified,
        "mean_radius": None if plan.predict else statistics.fmean(radii),
        "percentiles": None
        if plan.predict or plan.radii
        else np.percentile(radii, range(101), method="inverted_cdf").tolist(),
        "bracket": _bracket(found) if plan.bracket else None,
        "samples_drawn": sum(each.samples for each in found),
        "seed": settings.seed,
        "device": str(settings.device),
        "seconds": round(seconds, 3),
        "images_per_second": round(n / seconds, 3) if seconds else None,
    }


def _bracket(found: Sequence[Certified]) -> dict[str, Any]:
    """What lies between certificates and perturbations, of the images that have both."""
    gaps = [each.distance - each.radius for each in found if each.distance is not None]
    right = [math.inf if each.distance is None else each.distance for each in found if each.prediction == each.label]
    distances = _percentiles([0.0] * (len(found) - len(right)) + right)
    return {
        "attack": ATTACK,
        "steps": STEPS,
        "draws": DRAWS,
        "found": len(gaps),
        "mean_gap": statistics.fmean(gaps) if gaps else None,
        "median_gap": statistics.median(gaps) if gaps else None,
        "smallest_gap": min(gaps, default=None),
        "percentiles": [distance if math.isfinite(distance) else None for distance in distances],
    }


def _percentiles(values: Sequence[float]) -> list[float]:
    found: list[float] = np.percentile(values, range(101), method="inverted_cdf").tolist()
    return found


def together(reports: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Reports on several models, or under noise of several sizes, as one."""
    return {"schema": SCHEMA, "command": "certify", "models": [*reports]}
