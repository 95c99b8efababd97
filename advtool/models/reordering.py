"""A model with its logits in another order, or for other classes, so that labels of images are its own."""

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import torch

from advtool import seeds
from advtool.data.matching import POSITION, Matching, are_numbers, match
from advtool.errors import AdvtoolError
from advtool.models.classifier import Classifier, ModelSpec
from advtool.models.fitting import layout
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
    for name, dimension in class_dimensions(spec).items():
        state[name] = state[name].index_select(dimension, index)
    fresh.net.load_state_dict(state)
    for old, new in zip(model.parameters(), fresh.parameters(), strict=True):
        new.requires_grad_(old.requires_grad)
    return fresh.to(model.mean.device).train(model.training)


def with_classes(model: Classifier, classes: tuple[str, ...], seed: int) -> Classifier:
    """A copy of a model for other classes: what belongs to the classes, its last layer, is drawn anew.

    Parameters
    ----------
    seed : of the new weights
    """
    torch.manual_seed(seeds.derive(seed, "initialisation") % 2**31)
    fresh = build(replace(model.spec, classes=classes))
    state, anew = model.net.state_dict(), class_dimensions(model.spec)
    fresh.net.load_state_dict(
        {name: new if name in anew else state[name] for name, new in fresh.net.state_dict().items()}
    )
    return fresh.to(model.mean.device).train(model.training)


def class_dimensions(spec: ModelSpec) -> dict[str, int]:
    """Name of each tensor of the network whose size depends on the number of classes → the dimension that does."""
    own, more = layout(spec), layout(replace(spec, classes=(*spec.classes, "one more")))
    if own is None or more is None:
        raise AdvtoolError(f"architecture {spec.arch} does not say which of its tensors belong to the classes")
    return {
        name: next(place for place, (now, then) in enumerate(zip(size, more[name], strict=True)) if now != then)
        for name, size in own.items()
        if size != more[name]
    }
