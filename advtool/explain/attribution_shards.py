"""Attributions as samples, for further use.

A sample stays the image, label and provenance that it was, so that every stage can read it, and gains a member
``attribution.npy``: float32 C×H×W of any sign and size. It is no image: stages that read pixels pass it over.
With several rows (models, methods) the members are ``attribution0.npy``, ``attribution1.npy``, …, and the provenance
says which is which.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from advtool.data.arrays import Images
from advtool.io import images as encoding
from advtool.io.samples import NO_OBJECT, Sample


@dataclass(frozen=True)
class Attributions:
    """One row of a grid: what one method says about one model.

    Attributes
    ----------
    name : of the row, in one line or several
    facts : checkpoint, method and settings, for reports and provenance
    values : float32, N×C×H×W
    """

    name: tuple[str, ...]
    facts: dict
    values: np.ndarray


def attribution_samples(images: Images, rows: Sequence[Attributions]) -> Iterator[Sample]:
    """The images with their attributions."""
    members = [f"attribution{index}.npy" for index in range(len(rows))] if len(rows) > 1 else ["attribution.npy"]
    described = [{"member": member, **row.facts} for member, row in zip(members, rows, strict=True)]
    for index, (key, label) in enumerate(zip(images.keys, images.labels, strict=True)):
        pixels = images.pixels[index]
        image = (
            {"png": encoding.encode_png(pixels)} if pixels.dtype == np.uint8 else {"npy": encoding.encode_npy(pixels)}
        )
        known = images.provenance[index] if images.provenance else {}
        if known is None:
            raise Sample(key, {}, images.name).fault(NO_OBJECT)
        facts = {**known, "attributions": described}
        maps = {member: encoding.encode_npy(row.values[index]) for member, row in zip(members, rows, strict=True)}
        text = {"cls": str(int(label)).encode(), "json": json.dumps(facts, sort_keys=True).encode()}
        yield Sample(key, {**image, **maps, **text}, images.name)
