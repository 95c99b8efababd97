"""MNIST and those that lie on disk as it does: IDX files, plain or still compressed."""

import math
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from advtool.data.torchvision_files import TorchvisionFiles
from advtool.errors import AdvtoolError
from advtool.io import streams
from advtool.io.shape import shape_text

_UNSIGNED_BYTES = 8
_PREFIX = {"train": "train", "test": "t10k"}


@dataclass(frozen=True)
class IdxFiles(TorchvisionFiles):
    """An IDX file of images and one of labels for each split, ``NAME`` or ``NAME.gz``."""

    def load(self, name: str, root: Path, split: str, download: bool) -> tuple[np.ndarray, np.ndarray, None]:
        """(pixels uint8 N×28×28, labels N, None)."""
        stems = [f"{_PREFIX[split]}-{kind}-ubyte" for kind in ("images-idx3", "labels-idx1")]
        place = self.path(root, split)
        found = [_find(place, stem) for stem in stems]
        if None in found and download:
            super().load(name, root, split, download)
            found = [_find(place, stem) for stem in stems]
        for stem, path in zip(stems, found, strict=True):
            if path is None:
                raise AdvtoolError(
                    f"{name} is not on disk: expected {place} with {stem} or {stem}.gz in it ({self.way_out(name)})"
                )
        images, labels = (_read(path, rank, name) for path, rank in zip(found, (3, 1), strict=True) if path)
        if images.shape[1:] != (28, 28):
            raise AdvtoolError(f"{name}: {found[0]}: images are {shape_text(images.shape[1:])}, not 28×28")
        return images, labels, None


def _find(place: Path, stem: str) -> Path | None:
    return next((path for path in (place / stem, place / f"{stem}.gz") if path.is_file()), None)


def _read(path: Path, rank: int, name: str) -> np.ndarray:
    """The array in an IDX file: two zero bytes, type, rank, the sizes as big-endian 32-bit numbers, bytes."""
    fault = f"{name}: cannot read {path}"
    length = 4 + 4 * rank
    try:
        with streams.open_path(path, regular=True) as stream:
            start = stream.read(length)
            if not start:
                raise AdvtoolError(f"{fault}: it is empty{_again(name)}")
            if not start.startswith(struct.pack(">HBB", 0, _UNSIGNED_BYTES, rank)) or len(start) < length:
                raise AdvtoolError(f"{fault}: no IDX file of {'images' if rank == 3 else 'labels'}{_again(name)}")
            shape = struct.unpack_from(f">{rank}I", start, 4)
            data = stream.read_whole(math.prod(shape))
            if len(data) < math.prod(shape) or stream.read(1):
                raise AdvtoolError(f"{fault}: not the bytes for {shape_text(shape)}{_again(name)}")
    except AdvtoolError as error:
        if str(error).startswith(fault):
            raise
        raise AdvtoolError(f"{fault}: {str(error).removeprefix(f'{path}: ')}{_again(name)}") from None
    return np.frombuffer(data, np.uint8).reshape(shape)


def _again(name: str) -> str:
    return f"; remove it, and `advtool data {name} --info --download` fetches it again"
