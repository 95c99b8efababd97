"""Images in memory of which each of several processes has decoded its part, and then has all."""

from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np

from advtool import distributed
from advtool.io.readers import Arrays, Reader
from advtool.io.samples import Sample
from advtool.launchers import Processes


def own_samples(reader: Reader, samples: Iterable[Sample], limit: int | None, here: Processes) -> Iterator[Sample]:
    """Every so many-th of the first samples, none of which is decoded; where they are listed, others are not read.

    Parameters
    ----------
    samples : all of the reader's
    """
    if (listing := reader.listing()) is not None:
        yield from map(listing.read, range(len(listing))[:limit][here.rank :: here.world])
        return
    for number, sample in enumerate(islice(samples, limit)):
        if number % here.world == here.rank:
            yield sample


def together(
    own: Arrays, provenance: list[dict | None] | None, here: Processes
) -> tuple[Arrays, list[dict | None] | None]:
    """All samples in their order, of which each process has those of `own_samples`.

    Pixels go from each process to the others once, so that every one has the bytes of all and has decoded its own.
    """
    about = (own.labels, own.keys, provenance, own.pixels.shape, own.pixels.dtype.str)
    parts = distributed.gathered(about)
    n = sum(len(keys) for _, keys, _, _, _ in parts)
    shape, kind = next((shape[1:], kind) for _, keys, _, shape, kind in parts if keys)
    pixels, labels = np.empty((n, *shape), kind), np.empty(n, np.int64)
    keys, facts = [""] * n, list[dict | None]([None] * n)
    for rank, (own_labels, own_keys, own_facts, *_) in enumerate(parts):
        if not own_keys:
            continue
        mine = own.pixels if rank == here.rank else np.empty((len(own_keys), *shape), kind)
        pixels[rank :: here.world] = distributed.sent(mine, rank)
        labels[rank :: here.world], keys[rank :: here.world] = own_labels, own_keys
        if own_facts:
            facts[rank :: here.world] = own_facts
    return Arrays(pixels, labels, keys), facts if any(part[2] for part in parts) else None


def agreed(failure: Exception | None) -> bool:
    """Whether a step has failed in no process."""
    return not any(distributed.gathered(failure is not None))
