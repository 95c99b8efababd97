"""How much each pixel tells of the label (Tsipras et al. 2018, section 2.3)."""

import numpy as np

from advtool.data.arrays import Images
from advtool.errors import UsageError

_CHUNK = 4096


def label_correlation(images: Images) -> np.ndarray:
    """Correlation ratio of each pixel with the label: float64 in [0, 1], C×H×W.

    The square root of the share of a pixel's variance that lies between the classes. For two classes it is the
    absolute value of Pearson's correlation with the label. A constant pixel has 0.
    """
    classes = images.head.num_classes
    counts = np.bincount(images.labels, minlength=classes)[:, None]
    sums = np.zeros((classes, images.pixels[0].size))
    squares = np.zeros(images.pixels[0].size)
    for start in range(0, len(images), _CHUNK):
        part = slice(start, start + _CHUNK)
        x = images.pixels[part].reshape(len(images.labels[part]), -1).astype(np.float64)
        one_hot = np.eye(classes)[images.labels[part]]
        sums += one_hot.T @ x
        squares += np.square(x).sum(0)
    n, total = len(images), sums.sum(0)
    between = (np.square(sums) / np.maximum(counts, 1)).sum(0) - total**2 / n
    whole = squares - total**2 / n
    varies = whole > 1e-9 * np.maximum(squares, 1)
    ratio = np.where(varies, between / np.where(varies, whole, 1), 0)
    return np.sqrt(ratio.clip(0, 1)).reshape(images.pixels.shape[1:])


def most_correlated(images: Images, k: int) -> tuple[int, ...]:
    """Indices into C×H×W, flattened and ascending, of the `k` pixels that correlate most with the label.

    Raises
    ------
    UsageError
        if there are not that many
    """
    correlation = label_correlation(images).ravel()
    if k > correlation.size:
        raise UsageError(f"the images have {correlation.size}", parameter="top_pixels", value=k)
    return tuple(sorted(int(index) for index in np.argsort(-correlation, kind="stable")[:k]))
