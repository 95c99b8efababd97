"""A part of the images that does not depend on their order."""

import numpy as np

from advtool import keyed, seeds
from advtool.data.arrays import Images


def subset(images: Images, n: int, seed: int) -> Images:
    """`n` of the images, drawn by key, in their order; all of them if there are no more."""
    if n >= len(images):
        return images
    draws = keyed.uniform((len(images), 1), keyed.ids_of(images.keys), seeds.derive(seed, "subset"))[:, 0]
    return images.take(np.sort(draws.argsort(stable=True)[:n].numpy()))
