"""The labels of ImageNet's flat validation folder, as its own kits give them: one a line, by number of the image."""

import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from advtool import bounds
from advtool.errors import AdvtoolError
from advtool.io import regular

DEVKITS = ("ILSVRC2012_devkit_t12/data", "devkit/data", "data")
_NUMBERED = re.compile(r"ILSVRC\d*_val_(\d{8})")
_SYNSET = re.compile(r"n\d+")
_META, _MAP = "meta.mat", "map_clsloc.txt"


def by_number(path: Path, images: Sequence[Path]) -> dict[str, str]:
    """Name of an image without extension → synset, by the line of its number; empty if this is no such file.

    The numbers of ``ILSVRC2012_validation_ground_truth.txt`` are not in the order of the synsets: ``meta.mat`` or
    ``map_clsloc.txt`` of the same kit says which is which.

    Raises
    ------
    AdvtoolError
        if there are numbers, and nothing says which synsets they are
    """
    matches = [_NUMBERED.fullmatch(image.stem) for image in images]
    if path.name in (_MAP, _META) or not all(matches):
        return {}
    lines = regular.read(path, bounds.TEXT_BYTES).decode("ascii", errors="replace").split("\n")
    texts = [line.strip() for line in lines if line.strip()]
    synsets: Mapping[str, str] | None = None
    if not texts or not all(text.isascii() and (text.isdigit() or _SYNSET.fullmatch(text)) for text in texts):
        return {}
    numbers = {image.stem: int(match[1]) for image, match in zip(images, matches, strict=True) if match}
    if max(numbers.values()) > len(texts) or min(numbers.values()) < 1:
        raise AdvtoolError(f"{path}: {len(texts):,} labels, but there is an image {max(numbers.values()):,}")
    if any(text.isdigit() for text in texts):
        synsets = _synsets(path.parent)
        if synsets is None:
            message = f"its numbers are no labels without {_META} or {_MAP} of the development kit; put it beside it"
            raise AdvtoolError(f"{path}: {message}")
    found = {stem: texts[number - 1] for stem, number in numbers.items()}
    if synsets is None:
        return found
    if strange := next((text for text in found.values() if text not in synsets), None):
        raise AdvtoolError(f"{path}: number {strange} is none that the development kit knows")
    return {stem: synsets[text] for stem, text in found.items()}


def _synsets(folder: Path) -> dict[str, str] | None:
    """Number → synset, out of what lies in the folder of a development kit."""
    if (path := folder / _MAP).is_file():
        text = regular.read(path, bounds.KIT_BYTES).decode("utf-8", errors="replace")
        rows = [line.split() for line in text.splitlines() if line.strip()]
        return {row[1]: row[0] for row in rows if len(row) >= 2}
    if not (path := folder / _META).is_file():
        return None
    from scipy.io import loadmat

    data = regular.read(path, bounds.KIT_BYTES)
    try:
        rows = loadmat(io.BytesIO(data), squeeze_me=True)["synsets"]
        return {str(int(row["ILSVRC2012_ID"])): str(row["WNID"]) for row in rows if int(row["num_children"]) == 0}
    except Exception:  # whatever SciPy and NumPy raise for a file that is something else
        raise AdvtoolError(f"{path}: cannot read the synsets in it") from None
