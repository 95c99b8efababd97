"""Adversarial shards made on one model, seen by another."""

from typing import Any

from torch import Tensor

from advtool.data.arrays import Images
from advtool.evaluation.counts import Share


def targeted_shares(images: Images, predictions: Tensor) -> dict[str, Share]:
    """How often a model falls for targeted examples; empty if the shards hold none.

    Parameters
    ----------
    predictions : of the model for the images, N

    Returns
    -------
    ``success`` : share classified as their target (the label they carry), ``original`` : share still classified
    as the label they had before, where that differs and is known
    """
    facts = [entry or {} for entry in images.provenance or []]
    rows = zip(predictions.tolist(), images.labels.tolist(), facts, strict=False)
    pushed = [
        (prediction, target, entry.get("original_label"))
        for prediction, target, entry in rows
        if entry.get("targeted") is True and entry.get("original_label") != target
    ]
    known = [(prediction, original) for prediction, _, original in pushed if original is not None]
    found = {}
    if pushed:
        found["success"] = Share(sum(prediction == target for prediction, target, _ in pushed), len(pushed))
    if known:
        found["original"] = Share(sum(prediction == original for prediction, original in known), len(known))
    return found


def attack_of(images: Images) -> dict[str, Any] | None:
    """The attack that made these images, ``attack, adv, eps, targeted``; None if their head records none."""
    made = next((record for record in reversed(images.head.records) if record.get("command") == "attack"), None)
    return {name: made.get(name) for name in ("attack", "adv", "eps", "targeted")} if made else None
