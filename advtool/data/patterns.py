"""``patterns``: pictures whose robust and non-robust features are known, since they are drawn from them.

The distribution of Tsipras et al. 2018 (section 2.1) as images: a strong feature that is right most of the time, which
no small perturbation changes, and a weak one that is always right, which a small one does. Ten classes, 16×16 pixels:
on grey lie a coarse pattern of 4×4 blocks, of the image's own class for 90% of the images and else of another, a faint
fine pattern of the image's class that is zero in the mean over every block, and noise. Nothing is stored.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np

from advtool.data.array_reader import ArrayReader
from advtool.errors import UsageError
from advtool.io.head import Head

NAME = "patterns"
CLASSES, SIDE, BLOCKS = 10, 16, 4
SIZES = {"train": 5000, "test": 1000}
GREY, COARSE, FINE, NOISE = 0.5, 2.4, 0.4, 0.05
"""Of the pixels: the ground, the l2 norms of the patterns, the standard deviation of the noise."""

AGREES = 0.9
"""Share of the images whose coarse pattern is that of their class."""

SHAPE = (1, SIDE, SIDE)
TRAINING = {"arch": "mlp", "hidden": (256, 16), "epochs": 20, "weight_decay": 2.0}
"""Of a network whose representation is smaller than the image, and whose weights forget what no image needs: else the
representation determines the image, or keeps the random directions that it began with, and `distill` keeps them too."""

_SEED = 20180530


@dataclass(frozen=True)
class Patterns:
    """One split."""

    split: str
    name: str = NAME
    splits: tuple[str, ...] = tuple(SIZES)
    layout: str | None = None
    repeatable: bool = True

    def open(self) -> ArrayReader:
        pixels, labels, _ = drawn(self.split)
        head = Head(tuple(map(str, range(CLASSES))), CLASSES, SHAPE, self.split, NAME)
        return ArrayReader(pixels, labels, head, NAME)


def resolve(split: str) -> Patterns:
    """One of the splits; UsageError if there is none of that name."""
    if split not in SIZES:
        raise UsageError(f"has no split '{split}' (has {', '.join(SIZES)})", parameter="data", value=NAME)
    return Patterns(split)


@cache
def templates() -> tuple[np.ndarray, np.ndarray]:
    """The coarse and the fine pattern of each class, orthonormal: float64, 10×256 each."""
    random = np.random.RandomState(_SEED)  # whose stream is the same in every version
    width = SIDE // BLOCKS
    ones = np.kron(np.eye(BLOCKS**2).reshape(-1, BLOCKS, BLOCKS), np.ones((width, width))).reshape(-1, SIDE**2)
    blocks = list(ones / width)
    coarse = _orthonormal(random.normal(size=(CLASSES, BLOCKS**2)) @ ones, [])
    return coarse, _orthonormal(random.normal(size=(CLASSES, SIDE**2)), blocks)


def _orthonormal(rows: np.ndarray, others: list[np.ndarray]) -> np.ndarray:
    """The rows made orthonormal one after another, and orthogonal to others, which are so already."""
    made: list[np.ndarray] = []
    for row in rows:
        for other in (*others, *made):
            row = row - (row @ other) * other
        made.append(row / np.linalg.norm(row))
    return np.stack(made)


@cache
def drawn(split: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(uint8 pixels N×1×16×16, labels N, classes of the coarse patterns N)."""
    coarse, fine = templates()
    random, n = np.random.RandomState(_SEED + 1 + tuple(SIZES).index(split)), SIZES[split]
    labels = random.permutation(n) % CLASSES
    others = (labels + random.randint(1, CLASSES, n)) % CLASSES
    seen = np.where(random.permutation(n) < AGREES * n, labels, others)
    pixels = GREY + COARSE * coarse[seen] + FINE * fine[labels] + random.normal(scale=NOISE, size=(n, SIDE**2))
    return np.rint(255 * pixels.clip(0, 1)).astype(np.uint8).reshape(n, *SHAPE), labels, seen


def made(head: Head) -> bool:
    """Whether images were made from these, and their labels are these classes."""
    return head.source == NAME and head.shape == SHAPE and head.num_classes == CLASSES


class Kept:
    """How much of the patterns is in images that were made from these, added up one by one."""

    def __init__(self) -> None:
        self._n = 0
        self._amount, self._agrees = np.zeros(2), np.zeros(2)

    def add(self, pixels: np.ndarray, label: int) -> None:
        """Count an image, uint8 or float in [0, 1], C×H×W."""
        flat = pixels.ravel().astype(np.float64) / (255 if pixels.dtype == np.uint8 else 1) - GREY
        for index, (directions, norm) in enumerate(zip(templates(), (COARSE, FINE), strict=True)):
            amounts = directions @ flat / norm
            self._amount[index] += amounts[label]
            self._agrees[index] += amounts.argmax() == label
        self._n += 1

    def to_json(self) -> dict[str, dict[str, float]]:
        """For ``coarse`` and ``fine``: ``amount`` and ``agrees``.

        The first is the mean projection on the label's pattern, 1 for all of it; the second the share of the images in
        which that is larger than the projection on any other class's.
        """
        rows = zip(("coarse", "fine"), self._amount / self._n, self._agrees / self._n, strict=True)
        return {name: {"amount": round(float(a), 6), "agrees": float(b)} for name, a, b in rows}
