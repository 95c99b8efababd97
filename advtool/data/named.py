"""Datasets by name, read from disk: those of torchvision, and CIFAR-10.1. Nothing is downloaded unless asked for."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from advtool.data.array_reader import ArrayReader
from advtool.data.catalogue import ENTRIES
from advtool.data.files import Files
from advtool.errors import AdvtoolError, UsageError
from advtool.io.head import Head
from advtool.io.shape import Shape, shape_text

_FILES = {name: entry.files for name, entry in ENTRIES.items() if entry.files}
NAMES = tuple(_FILES)


@dataclass(frozen=True)
class Named:
    """One split of a dataset under `data_root`."""

    name: str
    split: str
    data_root: Path
    download: bool = False
    splits: tuple[str, ...] = ("train", "test")
    layout: str | None = None
    repeatable: bool = True

    @property
    def files(self) -> Files:
        return _FILES[self.name]

    @property
    def expected_path(self) -> Path:
        """Where the files must lie."""
        return self.files.path(self.data_root, self.split)

    def open(self) -> ArrayReader:
        """Read the arrays; AdvtoolError if the files are missing or damaged."""
        entry = ENTRIES[self.name]
        data, labels, found = self.files.load(self.name, self.data_root, self.split, self.download)
        fault, classes = f"{self.name}: {self.expected_path}", entry.classes or found or ()
        if not len(data):
            raise AdvtoolError(f"{fault}: holds no images")
        pixels = _channels_first(data, entry.shape)
        if pixels.shape[1:] != entry.shape or pixels.dtype != np.uint8:
            held = f"{shape_text(pixels.shape[1:])} of {pixels.dtype}"
            raise AdvtoolError(f"{fault}: holds images of {held}, not {shape_text(entry.shape)} of uint8")
        if labels.shape != (len(pixels),):
            raise AdvtoolError(f"{fault}: {len(pixels):,} images, and {shape_text(labels.shape)} labels")
        if not 0 <= labels.min() <= labels.max() < len(classes):
            raise AdvtoolError(f"{fault}: labels do not fit the images or the classes")
        head = Head(classes, len(classes), entry.shape, self.split, entry.source or self.name)
        return ArrayReader(pixels, labels, head, self.name)


def resolve(name: str, split: str, data_root: Path, download: bool) -> Named:
    """One split of a dataset; UsageError if it has no such split, or cannot be downloaded."""
    splits = splits_of(name)
    if split not in splits:
        raise UsageError(f"has no split '{split}' (has {', '.join(splits)})", parameter="data", value=name)
    if download and (home := _FILES[name].home):
        raise UsageError(f"{name} is not downloaded; its files are in {home}", parameter="download")
    return Named(name, split, data_root, download, splits)


def splits_of(name: str) -> tuple[str, ...]:
    """The parts of a dataset."""
    return tuple(ENTRIES[name].sizes)


def root(data_root: Path | None) -> Path:
    """The folder of torchvision datasets: as given, or ``$ADVTOOL_DATA``, or ``~/.cache/advtool``."""
    return Path(data_root or os.environ.get("ADVTOOL_DATA") or Path.home() / ".cache" / "advtool")


def describe() -> list[dict]:
    """Name, image shape and sizes of each dataset, for listings."""
    shown = {name: ENTRIES[name] for name in NAMES}
    return [{"name": name, "shape": list(e.shape), "train": 0, **e.sizes} for name, e in shown.items()]


def _channels_first(data: np.ndarray, shape: Shape) -> np.ndarray:
    if data.ndim == 3:
        return data[:, None]
    return data.transpose(0, 3, 1, 2) if data.ndim == 4 and data.shape[1:] != shape else data
