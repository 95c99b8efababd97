"""Samples of several datasets side by side, matched by their source image (Ilyas et al. 2019, figures 7, 9, 11)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from advtool.data.arrays import Images, load
from advtool.data.sources import Source
from advtool.data.subset import subset
from advtool.errors import AdvtoolError


@dataclass(frozen=True)
class Sheet:
    """Columns of samples that have one source image.

    Attributes
    ----------
    keys : of the source images
    rows : for each source, its samples as (pixels C×H×W in [0, 1], class name), in the order of `keys`
    missing : number of images of the first source that not all the others had
    """

    keys: list[str]
    rows: list[list[tuple[np.ndarray, str]]]
    missing: int


def contact_sheet(sources: Sequence[Source], n: int | None, seed: int | None = None) -> Sheet:
    """The first `n` samples of the first source, and those that the other sources have of the same source images.

    A sample's source image is what its provenance says under ``source``, else its own key. Other sources are read
    only as far as needed; where one has several samples of an image, the first one counts.

    Parameters
    ----------
    n : None for all samples
    seed : draw the `n` samples at random instead

    Raises
    ------
    AdvtoolError
        if no image is in all the sources, or they are different splits, whose keys name different images
    """
    first = load(sources[0], n if seed is None else None)
    first = first if seed is None or n is None else subset(first, n, seed)
    keys = source_keys(first)
    found = [dict(zip(keys, _shown(first), strict=True))]
    found += [_matching(source, first, set(keys)) for source in sources[1:]]
    common = [key for key in dict.fromkeys(keys) if all(key in samples for samples in found)]
    if not common:
        lacking = [source.name for source, samples in zip(sources, found, strict=True) if len(samples) < len(found[0])]
        raise AdvtoolError(
            f"{', '.join(lacking)}: no image in common with the {len(keys)} of {sources[0].name} (the first is"
            f" '{keys[0]}'); samples are matched by their provenance's 'source', else by their key"
        )
    return Sheet(common, [[samples[key] for key in common] for samples in found], len(set(keys)) - len(common))


def source_keys(images: Images) -> list[str]:
    """For each sample the key of the image that it was made from."""
    return [_source_key(key, facts) for key, facts in zip(images.keys, _facts(images), strict=True)]


def _matching(source: Source, first: Images, wanted: set[str]) -> dict[str, tuple[np.ndarray, str]]:
    found: dict[str, tuple[np.ndarray, str]] = {}
    reader = source.open()
    split = reader.head.split or source.split
    if split and first.split and split != first.split:
        raise AdvtoolError(f"{source.name} is of the {split} split, {first.name} of the {first.split} split")
    for sample in reader:
        key = _source_key(sample.key, sample.facts())
        if key in wanted and key not in found:
            found[key] = (_floats(sample.pixels()), _class_name(reader.head.classes, sample.label))
            if len(found) == len(wanted):
                break
    return found


def _source_key(key: str, facts: dict | None) -> str:
    return facts["source"] if facts and isinstance(facts.get("source"), str) else key


def _facts(images: Images) -> list[dict | None]:
    return images.provenance or [None] * len(images)


def _shown(images: Images) -> list[tuple[np.ndarray, str]]:
    names = [_class_name(images.head.classes, int(label)) for label in images.labels]
    return list(zip(map(_floats, images.pixels), names, strict=True))


def _floats(pixels: np.ndarray) -> np.ndarray:
    return pixels.astype(np.float32) / 255 if pixels.dtype == np.uint8 else pixels


def _class_name(classes: tuple[str, ...] | None, label: int) -> str:
    return classes[label] if classes and label < len(classes) else str(label)
