"""A trained network for other classes: with its logits in another order, or with a new last layer."""

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import torch

from advtool import seeds
from advtool.data.matching import POSITION, Matching, are_numbers, match
from advtool.models.classifier import Classifier
from advtool.models.fitting import head_names
from advtool.models.registry import build


class Fitted(NamedTuple):
    """A model whose labels are those of the images, and how that came about."""

    model: Classifier
    matching: Matching


def fitted(model: Classifier, names: tuple[str, ...] | None, images: str, count: int | None = None) -> Fitted:
    """The model with its logits in the order of the images' classes, those that the images lack after them.

    A model whose classes are numbers takes the images' names where labels go by position. What was done is said.

    Parameters
    ----------
    names, count : of the images' classes, as far as they are known
    images : what to call the images

    Raises
    ------
    ClassMismatch
        if the model does not know all of them
    """
    matching = match(names, model.spec.classes, count)
    matching.tell(images)
    if matching.changes and matching.labels is not None:
        return Fitted(reordered(model, matching.labels), matching)
    if matching.by == POSITION and matching.names and are_numbers(model.spec.classes):
        model = copy.copy(model)
        model.spec = replace(model.spec, classes=matching.names)
    return Fitted(model, matching)


def reordered(model: Classifier, first: Sequence[int]) -> Classifier:
    """A copy of a model that puts some of its classes first, and the others after them in their order.

    Parameters
    ----------
    first : labels of these classes in the model, each at most once

    Returns
    -------
    Model on the same device and in the same mode whose logit i is that of class ``first[i]``
    """
    spec = model.spec
    order = [*first, *(label for label in range(len(spec.classes)) if label not in set(first))]
    fresh = build(replace(spec, classes=tuple(spec.classes[label] for label in order)))
    state, index = model.net.state_dict(), torch.tensor(order, device=model.mean.device)
    for name in head_names(spec.arch, spec.args, spec.shape):
        state[name] = state[name].index_select(0, index)
    fresh.net.load_state_dict(state)
    for old, new in zip(model.parameters(), fresh.parameters(), strict=True):
        new.requires_grad_(old.requires_grad)
    fresh.noise = model.noise
    return fresh.to(model.mean.device).train(model.training)


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
