"""Explaining models: by a call from Python, and what that and the command share."""

from collections.abc import Mapping, Sequence
from importlib import import_module

import torch
from torch import nn

from advtool.data.arrays import Images
from advtool.device import Settings
from advtool.errors import UsageError
from advtool.explain import saliency
from advtool.explain.interpolate import POINTS
from advtool.explain.results import Progress, Result, Row
from advtool.explain.settings import COLUMNS, Explanation
from advtool.models.classifier import Classifier
from advtool.models.heads import fitted

_PIXELS_AT_A_TIME, _MOST_AT_A_TIME = 2**22, 512


def explain(
    models: nn.Module | Mapping[str, nn.Module],
    images: Images,
    method: str | Sequence[str] = "gradient",
    *,
    of: str | None = None,
    baseline: float = 0.0,
    variance: float = saliency.SMOOTHGRAD_VARIANCE,
    norm: str = "l2",
    eps: float | None = None,
    target: str = "none",
    steps: int | None = None,
    step_size: float | None = None,
    points: int = POINTS,
    columns: int = COLUMNS,
    seed: int = 0,
    batch_size: int | None = None,
    device: torch.device | str | None = None,
    progress: Progress = lambda count: None,
) -> Result:
    """What models look at, as a picture and in numbers: what ``advtool explain`` draws and reports.

    Parameters
    ----------
    models : one, or several by their names, a row each; each takes pixels in [0, 1], N×C×H×W, and returns logits.
        The classes of a model that is no `Classifier` are those of the images
    images : all of them are used; `columns` of them are drawn
    method : ``gradient``, ``integrated-gradients``, ``smoothgrad`` or several of these, ``large-eps``,
        ``interpolate`` or ``weights``
    of : ``loss`` or ``logit``: see `settings.Explanation.resolve` for the defaults of this and all that follow
    batch_size : images at a time; by default by their size, at most 512
    device : by default that of the first model's parameters; the models are moved to it
    progress : is called with the number of images done since; each counts once per model and method

    Raises
    ------
    UsageError
        for settings that do not exist or do not go together
    AdvtoolError
        naming the model, if its logits or gradients are not finite
    """
    explanation = Explanation.resolve(
        [method] if isinstance(method, str) else method,
        images.head.shape,
        of=of,
        baseline=baseline,
        variance=variance,
        norm=norm,
        eps=eps,
        target=target,
        steps=steps,
        step_size=step_size,
        points=points,
        columns=columns,
        seed=seed,
    )
    named = {"model": models} if isinstance(models, nn.Module) else dict(models)
    if not named:
        raise UsageError("there is no model", parameter="models")
    first = next(iter(named.values()))
    place = torch.device(device) if device is not None else _device_of(first)
    rows = [_row(name, model.to(place), images) for name, model in named.items()]
    settings = Settings(place, batch_size or default_batch_size(images.head.shape), seed)
    return explained(explanation, rows, images, settings, progress)


def explained(
    explanation: Explanation,
    rows: Sequence[Row],
    images: Images,
    settings: Settings,
    progress: Progress = lambda count: None,
) -> Result:
    """Run the methods of an explanation on models that are on the device.

    Parameters
    ----------
    progress : is called with the number of images done since; each counts once per model and method
    """
    method = explanation.methods[0]
    if "ckpt" not in method.takes:
        raise UsageError("explains no model: see sample_pictures.samples", parameter="method", value=method.name)
    module, _, function = method.run.partition(":")
    result: Result = getattr(import_module(module), function)(explanation, rows, images, settings, progress)
    return result


def default_batch_size(shape: tuple[int, int, int]) -> int:
    """About 4 million components at a time, at most 512 images."""
    channels, height, width = shape
    return min(_MOST_AT_A_TIME, max(1, _PIXELS_AT_A_TIME // (channels * height * width)))


def _device_of(model: nn.Module) -> torch.device:
    parameter = next(model.parameters(), None)
    return torch.device("cpu") if parameter is None else parameter.device


def _row(name: str, model: nn.Module, images: Images) -> Row:
    if not isinstance(model, Classifier):
        return Row(name, model, images.head.classes, {"model": name}, name)
    model = fitted(model, images.head.classes, f"{images.name} and {name}").model
    return Row(name, model, model.spec.classes, {"model": name}, name)
