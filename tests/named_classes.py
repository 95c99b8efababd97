"""A model that knows each class by a pixel of its own, and images of classes by name: accuracy by construction."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import shard_factory
import torch

from advtool.io.head import Head
from advtool.models import checkpoint
from advtool.models.classifier import ModelSpec
from advtool.models.registry import build

SIDE = 6


def spot(number: int) -> np.ndarray:
    """An image, 1×6×6, that is bright at one place."""
    pixels = np.full(SIDE * SIDE, 40, np.uint8)
    pixels[number % len(pixels)] = 240
    return pixels.reshape(1, SIDE, SIDE)


def write_model(path: Path, classes: Sequence[str], spots: Sequence[int]) -> Path:
    """A linear model that says class i where image `spots[i]` is shown."""
    model = build(ModelSpec("linear", tuple(classes), (1, SIDE, SIDE), (0.0,), (1.0,)))
    weight = torch.zeros(len(classes), SIDE * SIDE)
    weight[range(len(classes)), list(spots)] = 1.0
    model.net.load_state_dict({"1.weight": weight, "1.bias": torch.zeros(len(classes))})
    path.write_bytes(checkpoint.to_bytes(model))
    return path


def write_images(path: Path, classes: Sequence[str] | None, spots: Sequence[tuple[int, int]], split=None) -> Path:
    """A shard of images (label, spot); `classes` None for one without a head's names."""
    made = [shard_factory.sample(f"k{n}", label, spot(place)) for n, (label, place) in enumerate(spots)]
    head = Head(tuple(classes), len(classes), (1, SIDE, SIDE), split) if classes is not None else Head()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(shard_factory.shard(made, head))
    return path


def write_folders(directory: Path, spots: dict[str, int], count: int = 4) -> Path:
    """Class folders, all images of a class alike."""
    for name, number in spots.items():
        (directory / name).mkdir(parents=True, exist_ok=True)
        for index in range(count):
            (directory / name / f"{index}.png").write_bytes(shard_factory.encode(spot(number)[0], "PNG"))
    return directory
