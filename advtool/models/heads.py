"""A trained network for other classes: all of it but the last layer."""

from dataclasses import replace

import torch

from advtool import seeds
from advtool.models.classifier import Classifier
from advtool.models.fitting import head_names
from advtool.models.registry import build


def with_classes(model: Classifier, classes: tuple[str, ...], seed: int) -> Classifier:
    """The same model, its last layer drawn anew, for these classes; on the same device and in the same mode.

    Parameters
    ----------
    seed : of the last layer's weights, which depend on nothing else
    """
    spec = replace(model.spec, classes=tuple(classes))
    head = set(head_names(spec.arch, spec.args, spec.shape))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seeds.derive(seed, "initialisation") % 2**31)
        fresh = build(spec)
    kept = {name: tensor for name, tensor in model.net.state_dict().items() if name not in head}
    fresh.net.load_state_dict(kept, strict=False)
    return fresh.to(model.mean.device).train(model.training)
