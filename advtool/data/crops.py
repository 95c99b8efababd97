"""Random-resized crops of images of any size, one image at a time, where they are decoded."""

import math

import numpy as np

from advtool import seeds

AREA = (0.08, 1.0)
RATIO = (3 / 4, 4 / 3)
_TRIES = 10


def random_resized_crop(pixels: np.ndarray, size: int, key: str, seed: int) -> np.ndarray:
    """Cut a random box out of an image and scale it to a square (Szegedy et al. 2015; torchvision's defaults).

    The box has 8% to 100% of the image's area and a ratio of sides from 3/4 to 4/3; if ten draws do not fit in the
    image, it is the largest centred one. Scaling is bilinear and antialiased.

    Parameters
    ----------
    pixels : uint8, C×H×W
    key, seed : what the draws depend on

    Returns
    -------
    uint8, C×size×size
    """
    from PIL import Image

    box = _box(pixels.shape[1:], np.random.default_rng([seeds.derive(seed, key)]))
    image = Image.fromarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0))
    scaled = np.asarray(image.resize((size, size), Image.Resampling.BILINEAR, box=box))
    return scaled[None] if scaled.ndim == 2 else np.ascontiguousarray(scaled.transpose(2, 0, 1))


def _box(shape: tuple[int, int], rng: np.random.Generator) -> tuple[int, int, int, int]:
    """Left, upper, right, lower."""
    height, width = shape
    for _ in range(_TRIES):
        area = height * width * rng.uniform(*AREA)
        ratio = math.exp(rng.uniform(math.log(RATIO[0]), math.log(RATIO[1])))
        w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < w <= width and 0 < h <= height:
            left, upper = int(rng.integers(width - w + 1)), int(rng.integers(height - h + 1))
            return left, upper, left + w, upper + h
    w, h = min(width, round(height * RATIO[1])), min(height, round(width / RATIO[0]))
    left, upper = (width - w) // 2, (height - h) // 2
    return left, upper, left + w, upper + h
