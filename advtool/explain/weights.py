"""Weights of linear models, and the correlation of features and labels (Tsipras et al. 2018, figure 2).

Of two classes there is one picture, of the second class against the first; of more there is one per class, against
the mean of all.
"""

import math

import numpy as np
from torch import nn

from advtool.data.arrays import Images
from advtool.errors import UsageError
from advtool.models.classifier import Classifier

_CHUNK = 4096


def linear_weights(model: nn.Module, name: str = "the model") -> np.ndarray:
    """Weight of each pixel on the [0, 1] scale, float64: pictures×C×H×W.

    Raises
    ------
    UsageError
        if the model is not linear, or no `Classifier`, which knows its normaliser
    """
    if not isinstance(model, Classifier):
        text = f"{name} is no Classifier, such as advtool.load returns"
        raise UsageError(text, parameter="method", value="weights")
    layers = [module for module in model.net.modules() if not list(module.children())]
    linear = [module for module in layers if isinstance(module, nn.Linear)]
    if len(linear) != 1 or not all(isinstance(module, nn.Linear | nn.Flatten) for module in layers):
        text = f"{name} is not linear but {model.spec.arch} (see advtool train --arch linear)"
        raise UsageError(text, parameter="method", value="weights")
    weights = linear[0].weight.detach().cpu().double().numpy().reshape(-1, *model.spec.shape)
    weights = weights / np.array(model.spec.std).reshape(-1, 1, 1)
    return weights[1:] - weights[:1] if len(weights) == 2 else weights - weights.mean(0)


def correlations(images: Images, classes: int) -> np.ndarray:
    """Pearson correlation of each pixel with belonging to a class: pictures×C×H×W; 0 where either is constant."""
    shape, n = images.pixels.shape[1:], len(images)
    d = math.prod(shape)
    total, squares, by_class = np.zeros(d), np.zeros(d), np.zeros((classes, d))
    for start in range(0, n, _CHUNK):
        x = images.pixels[start : start + _CHUNK].reshape(-1, d).astype(np.float64)
        x = x / 255 if images.pixels.dtype == np.uint8 else x
        total += x.sum(0)
        squares += (x**2).sum(0)
        np.add.at(by_class, images.labels[start : start + _CHUNK], x)
    share = np.bincount(images.labels, minlength=classes)[:, None] / n
    mean = total / n
    variance = np.maximum(squares / n - mean**2, 0)
    covariance = by_class / n - share * mean
    scale = np.sqrt(np.where(variance > 1e-12, variance, 0) * share * (1 - share))
    found = np.divide(covariance, scale, out=np.zeros_like(covariance), where=scale > 0).reshape(classes, *shape)
    return found[1:] if classes == 2 else found


def agreement(weights: np.ndarray, correlation: np.ndarray) -> np.ndarray:
    """For each picture, the correlation over pixels of |weight| and |correlation|; NaN where one is constant."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.array(
            [np.corrcoef(np.abs(w).ravel(), np.abs(c).ravel())[0, 1] for w, c in zip(weights, correlation, strict=True)]
        )
