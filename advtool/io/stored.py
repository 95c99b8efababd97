"""Samples as shards hold them: images in a format of shards, all under one extension."""

import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace

from advtool.io import formats, images
from advtool.io.samples import Sample


class EncodedWarning(UserWarning):
    """Images are written in another way than they were read."""


def stored(samples: Iterable[Sample]) -> Iterator[Sample]:
    """The same samples; images of formats that no shard holds as PNG, and all 8-bit images under one extension.

    Shards want the same members in all samples. What reads images goes by their content, so the bytes of a PNG among
    JPEGs stay what they are. At the end a warning says how many images were encoded anew, and why.
    """
    extension, encoded, kept, n = None, Counter[str](), Counter[str](), 0
    for sample in samples:
        n += 1
        own = sample.extension
        if own == images.FLOAT:
            yield sample
            continue
        data = sample.members[own]
        extension = extension or (own if own in formats.STORED else "png")
        kind = images.kind(data, own)
        if kind not in formats.STORED:
            data = images.encode_png(sample.pixels())
            encoded[kind] += 1
            kind = "png"
        if kind != _usual(extension):
            kept[kind] += 1
        members = {name: value for name, value in sample.members.items() if name != own}
        yield replace(sample, members={extension: data, **members})
    if encoded:
        text = f"{_share(encoded, n)} encoded anew as PNG, without loss: {_listed(encoded)}, which shards do not hold"
        warnings.warn(text, EncodedWarning, stacklevel=1)
    if kept:
        text = f"{_share(kept, n)} named .{extension} like the others, bytes and format kept: {_listed(kept)}"
        warnings.warn(text, EncodedWarning, stacklevel=1)


def _usual(extension: str) -> str:
    return "jpg" if extension == "jpeg" else extension


def _share(counts: Counter[str], n: int) -> str:
    total = counts.total()
    return f"{total:,} of {n:,} images {'is' if total == 1 else 'are'}"


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{n:,} {kind.upper()}" for kind, n in counts.most_common())
