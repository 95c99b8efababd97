"""Folders of images as they lie on disk: links are followed, hidden things skipped, and all else is accounted for."""

import os
import stat
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from advtool.errors import AdvtoolError
from advtool.io import formats
from advtool.io.hidden import is_hidden
from advtool.io.regular import KINDS

_Ancestors = tuple[tuple[int, int], ...]


class LeftOutWarning(UserWarning):
    """Something in a folder is no part of the data."""


@dataclass(frozen=True)
class Folder:
    """What one folder holds: folders, images and other files, each in the order of their names.

    Attributes
    ----------
    ancestors : device and inode of the folder and of those above it, by which a link back is told
    """

    path: Path
    ancestors: _Ancestors
    folders: list[Path] = field(default_factory=list)
    images: list[Path] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)


def look_into(path: Path, above: _Ancestors = ()) -> Folder:
    """List a folder.

    Raises
    ------
    AdvtoolError
        naming what cannot be read: a link to nothing or back, a pipe, a socket, a device, or for want of permission
    """
    try:
        status = path.stat()
        identity = (status.st_dev, status.st_ino)
        if identity in above:
            raise AdvtoolError(f"{path}: a link back to a folder that it lies in; remove it")
        with os.scandir(path) as entries:
            found = sorted((entry.name, entry) for entry in entries if not is_hidden(entry.name))
    except OSError as error:
        raise AdvtoolError(f"{path}: cannot read ({error.strerror})") from None
    folder = Folder(path, (*above, identity))
    for name, entry in found:
        _sort_in(folder, path / name, _mode(entry, path / name))
    return folder


def _mode(entry: os.DirEntry, path: Path) -> int:
    try:
        if entry.is_file(follow_symlinks=False):
            return stat.S_IFREG
        return stat.S_IFMT(entry.stat().st_mode)
    except FileNotFoundError:
        raise AdvtoolError(f"{path}: a link to nothing; mend or remove it") from None
    except OSError as error:
        raise AdvtoolError(f"{path}: cannot read ({error.strerror})") from None


def _sort_in(folder: Folder, path: Path, mode: int) -> None:
    if mode == stat.S_IFDIR:
        folder.folders.append(path)
    elif mode != stat.S_IFREG:
        raise AdvtoolError(f"{path}: {KINDS.get(mode, 'no file')}, not an image; remove it")
    elif formats.extension(path.name) in formats.READ:
        folder.images.append(path)
    else:
        folder.others.append(path)


def gather(folder: Folder) -> tuple[list[Path], list[Path]]:
    """(images, other files) in a folder and everywhere below it."""
    images, others = list(folder.images), list(folder.others)
    for path in folder.folders:
        more_images, more_others = gather(look_into(path, folder.ancestors))
        images += more_images
        others += more_others
    return sorted(images), others


def holds_image(path: Path, above: _Ancestors) -> bool:
    """Whether there is an image in a folder or anywhere below it."""
    folder = look_into(path, above)
    return bool(folder.images) or any(holds_image(below, folder.ancestors) for below in folder.folders)


def counted_by_extension(files: list[Path]) -> str:
    """Files in words: ``3 files are no images: 2 .txt, 1 .db``."""
    kinds = Counter(formats.extension(path.name) for path in files)
    listed = ", ".join(f"{n:,} {f'.{kind}' if kind else 'without extension'}" for kind, n in kinds.most_common())
    return f"{len(files):,} {'file is no image' if len(files) == 1 else 'files are no images'}: {listed}"
