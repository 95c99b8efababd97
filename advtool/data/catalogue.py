"""The datasets that have a name, and what is known of each before it is read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from advtool.data import patterns
from advtool.data.cifar101 import CIFAR10_1
from advtool.data.files import Files
from advtool.data.idx import IdxFiles
from advtool.data.torchvision_files import TorchvisionFiles
from advtool.io.shape import Shape

_DIGITS = tuple("0123456789")
_KUZUSHIJI = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")
_CLOTHES = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)
_OBJECTS = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


@dataclass(frozen=True)
class Entry:
    """A dataset.

    Attributes
    ----------
    shape : (C, H, W)
    sizes : split → number of images
    files : where its files lie and how they are read; None for the digits, which are embedded as shards
    classes : class names; None if the files name them
    mirrored : whether a mirrored image keeps its class, so that flips augment
    source : what the heads of its streams say they came from, if that is not its name
    training : options of training that these images want, where others are not asked for
    """

    shape: Shape
    sizes: dict[str, int]
    files: Files | None
    classes: tuple[str, ...] | None = None
    mirrored: bool = True
    source: str | None = None
    training: Mapping[str, Any] = field(default_factory=dict)


_CIFAR10 = TorchvisionFiles("CIFAR10", "cifar-10-batches-py", packed="cifar-10-python.tar.gz")
_CIFAR100 = TorchvisionFiles("CIFAR100", "cifar-100-python", packed="cifar-100-python.tar.gz")
_SMALL, _COLOUR = {"train": 60_000, "test": 10_000}, {"train": 50_000, "test": 10_000}
ENTRIES = {
    "digits": Entry(
        (1, 8, 8),
        {"train": 1437, "test": 360},
        None,
        _DIGITS,
        mirrored=False,
        source="UCI Optical Recognition of Handwritten Digits (CC BY 4.0), via scikit-learn",
    ),
    patterns.NAME: Entry(patterns.SHAPE, patterns.SIZES, None, _DIGITS, mirrored=False, training=patterns.TRAINING),
    "mnist": Entry((1, 28, 28), _SMALL, IdxFiles("MNIST", "MNIST/raw"), _DIGITS, mirrored=False),
    "fashion-mnist": Entry((1, 28, 28), _SMALL, IdxFiles("FashionMNIST", "FashionMNIST/raw"), _CLOTHES),
    "kmnist": Entry((1, 28, 28), _SMALL, IdxFiles("KMNIST", "KMNIST/raw"), _KUZUSHIJI, mirrored=False),
    "cifar10": Entry((3, 32, 32), _COLOUR, _CIFAR10),
    "cifar100": Entry((3, 32, 32), _COLOUR, _CIFAR100),
    "svhn": Entry(
        (3, 32, 32),
        {"train": 73_257, "test": 26_032},
        TorchvisionFiles("SVHN", "{split}_32x32.mat", by_split=True, labels="labels"),
        _DIGITS,
        mirrored=False,
    ),
    "cifar10.1": Entry((3, 32, 32), {"test": 2_000}, CIFAR10_1, _OBJECTS),
}


def is_mirrored(origin: str | None) -> bool:
    """Whether a mirrored image keeps its class, by what a head says the images came from; yes if that is unknown."""
    entry = _of(origin)
    return entry.mirrored if entry else True


def training_of(origin: str | None) -> Mapping[str, Any]:
    """Options of training that images want, by what a head says they came from."""
    entry = _of(origin)
    return entry.training if entry else {}


def _of(origin: str | None) -> Entry | None:
    return {entry.source or name: entry for name, entry in ENTRIES.items()}.get(origin or "")
