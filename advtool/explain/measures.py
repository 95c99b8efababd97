"""Numbers beside the pictures: how sparse, how smooth and how well aligned attributions are.

All take attributions N×C×H×W and return float64, N, that do not depend on their scale; NaN where a measure has no
meaning, as for an attribution that is 0 everywhere.
"""

import math

import numpy as np

MIN_PER_CLASS = 10


def hoyer(attributions: np.ndarray) -> np.ndarray:
    """Hoyer's sparsity (2004): (√d − ‖a‖₁/‖a‖₂)/(√d − 1); 0 if all entries have one size, 1 if one is not 0."""
    a = _magnitudes(attributions)
    root = math.sqrt(a.shape[1])
    with np.errstate(invalid="ignore", divide="ignore"):
        return (root - a.sum(1) / np.linalg.norm(a, axis=1)) / (root - 1)


def gini(attributions: np.ndarray) -> np.ndarray:
    """Gini index of the magnitudes (Hurley and Rickard 2009): 0 if all are equal, 1 − 1/d if one is not 0."""
    a = np.sort(_magnitudes(attributions), axis=1)
    d = a.shape[1]
    weights = (d - np.arange(1, d + 1) + 0.5) / d
    with np.errstate(invalid="ignore", divide="ignore"):
        return 1 - 2 * (a * weights).sum(1) / a.sum(1)


def total_variation(attributions: np.ndarray) -> np.ndarray:
    """Absolute differences between neighbours, summed, over the sum of magnitudes: up to 4 and more for noise."""
    a = attributions.astype(np.float64)
    differences = sum(np.abs(np.diff(a, axis=axis)).sum((1, 2, 3)) for axis in (2, 3))
    with np.errstate(invalid="ignore", divide="ignore"):
        return differences / np.abs(a).sum((1, 2, 3))


def edge_alignment(attributions: np.ndarray, images: np.ndarray) -> np.ndarray:
    """Correlation over pixels of the attribution's magnitude with the strength of the image's edges (Sobel).

    0 by chance, 1 if the attribution lies on the edges. Channels are summed in magnitude (attributions) and averaged
    (images, N×C×H×W).
    """
    edges = np.stack([_edges(image) for image in images.astype(np.float64).mean(1)])
    return _cosine(_centred(np.abs(attributions.astype(np.float64)).sum(1)), _centred(edges))


def class_mean_alignment(attributions: np.ndarray, images: np.ndarray, labels: np.ndarray, sign: int = 1) -> np.ndarray:
    """Cosine of the attribution with the way from the mean of the image's class to that of the other classes' means.

    The image itself is left out of its class's mean. NaN for classes of fewer than 10 images, and where there is no
    other class of as many.

    Parameters
    ----------
    images, labels : the images explained, N×C×H×W and N; the means are theirs
    sign : 1 for attributions of the loss, which grows on that way; −1 for those of the label's logit
    """
    flat = images.reshape(len(images), -1).astype(np.float64)
    classes, counts = np.unique(labels, return_counts=True)
    means = {k: flat[labels == k].mean(0) for k, n in zip(classes, counts, strict=True) if n >= MIN_PER_CLASS}
    result = np.full(len(labels), np.nan)
    for k, mean in means.items():
        others = [other for label, other in means.items() if label != k]
        if others:
            rows = labels == k
            n = rows.sum()
            without = (n * mean - flat[rows]) / (n - 1)
            found = attributions[rows].reshape(n, -1).astype(np.float64)
            result[rows] = sign * _cosine(found, np.mean(others, axis=0) - without)
    return result


def all_measures(
    attributions: np.ndarray, images: np.ndarray, labels: np.ndarray, of: str = "loss"
) -> dict[str, np.ndarray]:
    """Every measure by name."""
    return {
        "hoyer": hoyer(attributions),
        "gini": gini(attributions),
        "total_variation": total_variation(attributions),
        "edge_alignment": edge_alignment(attributions, images),
        "class_mean_alignment": class_mean_alignment(attributions, images, labels, 1 if of == "loss" else -1),
    }


def mean_and_error(values: np.ndarray) -> dict:
    """``{"mean", "se", "n"}`` over the finite values; the standard error of the mean needs two, the mean one."""
    finite = values[np.isfinite(values)]
    n = len(finite)
    mean = float(finite.mean()) if n else None
    return {"mean": mean, "se": float(finite.std(ddof=1) / math.sqrt(n)) if n > 1 else None, "n": n}


def _magnitudes(attributions: np.ndarray) -> np.ndarray:
    """N×d, the largest 1, so that squares do not underflow."""
    a = np.abs(attributions.reshape(len(attributions), -1).astype(np.float64))
    return a / np.maximum(a.max(1, keepdims=True), np.finfo(np.float64).tiny)


def _edges(grey: np.ndarray) -> np.ndarray:
    from scipy import ndimage

    return np.hypot(*(ndimage.sobel(grey, axis=axis, mode="nearest") for axis in (0, 1)))


def _centred(maps: np.ndarray) -> np.ndarray:
    flat = maps.reshape(len(maps), -1)
    return flat - flat.mean(1, keepdims=True)


def _cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Cosine of the rows; NaN where one is 0 or as good as."""
    a = a / np.maximum(np.abs(a).max(1, keepdims=True), np.finfo(np.float64).tiny)
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(norms > 1e-12, (a * b).sum(1) / norms, np.nan)
