"""Adversarial shards made on one model, seen by another."""

import torch
from torch import nn

from advtool.attacks.guard import logits_of, untouched
from advtool.data.arrays import Images
from advtool.data.batches import in_order
from advtool.device import Settings
from advtool.evaluation.statistics import accuracy


@torch.no_grad()
def targeted_success(model: nn.Module, images: Images, settings: Settings) -> dict | None:
    """How often a model falls for targeted examples; None if the shards hold none.

    Returns
    -------
    ``success`` : share classified as their target (the label they carry), ``original`` : share still classified
    as the label they had before, where that differs and is known
    """
    provenance = images.provenance or []
    targeted = [index for index, entry in enumerate(provenance) if entry.get("targeted") is True]
    if not targeted:
        return None
    with untouched(model):
        batches = in_order(images.take(targeted), settings.batch_size, settings.device)
        predictions = torch.cat([logits_of(model, x).argmax(1).cpu() for x, _, _ in batches]).tolist()
    labels = [int(images.labels[index]) for index in targeted]
    originals = [provenance[index].get("original_label") for index in targeted]
    pushed = [(p, t, o) for p, t, o in zip(predictions, labels, originals, strict=True) if o != t]
    result = {"success": accuracy(sum(p == t for p, t, _ in pushed), len(pushed))} if pushed else {}
    known = [(p, o) for p, _, o in pushed if o is not None]
    if known:
        result["original"] = accuracy(sum(p == o for p, o in known), len(known))
    return result or None
