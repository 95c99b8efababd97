"""Datasets by name, read from disk: those of torchvision, and CIFAR-10.1. Nothing is downloaded unless asked for."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from advtool.data import cifar101
from advtool.data.array_reader import ArrayReader
from advtool.errors import AdvtoolError, UsageError
from advtool.io.head import Head

DIGIT_NAMES = tuple("0123456789")
KUZUSHIJI_NAMES = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")


@dataclass(frozen=True)
class _Entry:
    torchvision: str
    folder: str
    shape: tuple[int, int, int]
    sizes: dict[str, int]
    classes: tuple[str, ...] | None = None


_ENTRIES = {
    "mnist": _Entry("MNIST", "MNIST/raw", (1, 28, 28), {"train": 60_000, "test": 10_000}, DIGIT_NAMES),
    "fashion-mnist": _Entry("FashionMNIST", "FashionMNIST/raw", (1, 28, 28), {"train": 60_000, "test": 10_000}),
    "kmnist": _Entry("KMNIST", "KMNIST/raw", (1, 28, 28), {"train": 60_000, "test": 10_000}, KUZUSHIJI_NAMES),
    "cifar10": _Entry("CIFAR10", "cifar-10-batches-py", (3, 32, 32), {"train": 50_000, "test": 10_000}),
    "cifar100": _Entry("CIFAR100", "cifar-100-python", (3, 32, 32), {"train": 50_000, "test": 10_000}),
    "svhn": _Entry("SVHN", "{split}_32x32.mat", (3, 32, 32), {"train": 73_257, "test": 26_032}, DIGIT_NAMES),
    "cifar10.1": _Entry("", cifar101.IMAGES, (3, 32, 32), {"test": 2_000}, cifar101.CLASSES),
}
NAMES = tuple(_ENTRIES)


@dataclass(frozen=True)
class Named:
    """One split of a dataset under `data_root`."""

    name: str
    split: str
    data_root: Path
    download: bool = False
    splits: tuple[str, ...] = ("train", "test")
    repeatable: bool = True

    @property
    def expected_path(self) -> Path:
        """Where the files must lie, as torchvision lays them out."""
        root = cifar101.folder(self.data_root) if self.name == "cifar10.1" else self.data_root
        return root / _ENTRIES[self.name].folder.format(split=self.split)

    def open(self) -> "NamedReader":
        return NamedReader(self)


class NamedReader(ArrayReader):
    """One pass over a named dataset in its own order."""

    def __init__(self, source: Named):
        entry = _ENTRIES[source.name]
        pixels, labels, classes = _arrays(source, entry)
        if len(labels) != len(pixels) or not 0 <= labels.min() <= labels.max() < len(classes):
            raise AdvtoolError(f"{source.name}: {source.expected_path}: labels do not fit the images or the classes")
        head = Head(classes, len(classes), entry.shape, source.split, source.name)
        super().__init__(pixels, labels, head, source.name)


def resolve(name: str, split: str, data_root: Path, download: bool) -> Named:
    """One split of a dataset; UsageError if it has no such split, or cannot be downloaded."""
    splits = splits_of(name)
    if split not in splits:
        raise UsageError(f"--data {name}: has no split '{split}' (has {', '.join(splits)})")
    if download and name == "cifar10.1":
        raise UsageError(f"--download: cifar10.1 is not downloaded; its files are in {cifar101.HOME}")
    return Named(name, split, data_root, download, splits)


def splits_of(name: str) -> tuple[str, ...]:
    return tuple(_ENTRIES[name].sizes)


def root(data_root: Path | None) -> Path:
    """The folder of torchvision datasets: as given, or ``$ADVTOOL_DATA``, or ``~/.cache/advtool``."""
    return Path(data_root or os.environ.get("ADVTOOL_DATA") or Path.home() / ".cache" / "advtool")


def describe() -> list[dict]:
    """Name, image shape and sizes of each dataset, for listings."""
    return [{"name": name, "shape": list(e.shape), "train": 0, **e.sizes} for name, e in _ENTRIES.items()]


def _arrays(source: Named, entry: _Entry) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """(pixels N×C×H×W, labels, class names)."""
    if source.name == "cifar10.1":
        return *cifar101.load(source.data_root), entry.classes
    dataset = _load(source, entry)
    labels = np.asarray(dataset.labels if source.name == "svhn" else dataset.targets)
    classes = entry.classes or tuple(dataset.classes)
    return _channels_first(np.asarray(dataset.data), entry.shape), labels, classes


def _load(source: Named, entry: _Entry):
    import torchvision.datasets

    factory = getattr(torchvision.datasets, entry.torchvision)
    part = {"split": source.split} if source.name == "svhn" else {"train": source.split == "train"}
    try:
        return factory(source.data_root, **part, download=source.download)
    except Exception as error:  # torchvision raises whatever its parsers do on a damaged file
        if source.expected_path.exists() or source.download:
            reason = (str(error) or type(error).__name__).splitlines()[0]
            raise AdvtoolError(f"{source.name}: cannot read {source.expected_path}: {reason}") from None
        raise AdvtoolError(
            f"{source.name} is not on disk: expected {source.expected_path}"
            " (set --data-root or ADVTOOL_DATA, or pass --download)"
        ) from None


def _channels_first(data: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    if data.ndim == 3:
        return data[:, None]
    return data if data.shape[1:] == shape else data.transpose(0, 3, 1, 2)
