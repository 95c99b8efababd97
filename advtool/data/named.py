"""Datasets of torchvision by name, read from disk; nothing is downloaded unless asked for."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from advtool.errors import AdvtoolError
from advtool.io import images
from advtool.io.head import Head
from advtool.io.samples import Sample

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
}
NAMES = tuple(_ENTRIES)


@dataclass(frozen=True)
class Named:
    """One split of a torchvision dataset under `data_root`."""

    name: str
    split: str
    data_root: Path
    download: bool = False
    splits: tuple[str, ...] = ("train", "test")
    repeatable: bool = True

    @property
    def expected_path(self) -> Path:
        """Where the files must lie, as torchvision lays them out."""
        return self.data_root / _ENTRIES[self.name].folder.format(split=self.split)

    def open(self) -> "NamedReader":
        return NamedReader(self)


class NamedReader:
    """One pass over a torchvision dataset in its own order; keys are the index with five digits."""

    def __init__(self, source: Named):
        entry = _ENTRIES[source.name]
        dataset = _load(source, entry)
        self._name = source.name
        self._pixels = _channels_first(np.asarray(dataset.data), entry.shape)
        self._labels = np.asarray(dataset.labels if source.name == "svhn" else dataset.targets)
        classes = entry.classes or tuple(dataset.classes)
        if len(self._labels) != len(self._pixels) or not 0 <= self._labels.min() <= self._labels.max() < len(classes):
            raise AdvtoolError(f"{source.name}: {source.expected_path}: labels do not fit the images or the classes")
        self.head = Head(classes, len(classes), entry.shape, source.split, source.name)

    def __iter__(self) -> Iterator[Sample]:
        for index, (pixels, label) in enumerate(zip(self._pixels, self._labels, strict=True)):
            members = {"png": images.encode_png(pixels), "cls": str(int(label)).encode()}
            yield Sample(f"{index:05d}", members, self._name)

    def arrays(self) -> tuple[np.ndarray, np.ndarray, list[str]]:
        """Pixels uint8 N×C×H×W, labels, and keys at once, past the encoding."""
        return self._pixels, self._labels.astype(np.int64), [f"{i:05d}" for i in range(len(self._labels))]


def resolve(name: str, split: str, data_root: Path, download: bool) -> Named:
    return Named(name, split, data_root, download)


def root(data_root: Path | None) -> Path:
    """The folder of torchvision datasets: as given, or ``$ADVTOOL_DATA``, or ``~/.cache/advtool``."""
    return Path(data_root or os.environ.get("ADVTOOL_DATA") or Path.home() / ".cache" / "advtool")


def describe() -> list[dict]:
    """Name, image shape and sizes of each dataset, for listings."""
    return [{"name": name, "shape": list(e.shape), **e.sizes} for name, e in _ENTRIES.items()]


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
