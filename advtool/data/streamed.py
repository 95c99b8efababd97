"""Batches of images that do not fit into memory: read anew each epoch, and decoded in worker processes ahead of use."""

import os
import signal
from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from itertools import chain, islice
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from advtool import keyed, seeds
from advtool.data.batches import Batch, grouped, sizes_of, to_float
from advtool.data.checker import SampleChecker
from advtool.data.crops import random_resized_crop
from advtool.data.pieces import Piece, pieces_of, ranges
from advtool.data.portions import FEWEST, is_whole, portion
from advtool.data.sources import Source
from advtool.errors import AdvtoolError, UsageError
from advtool.io.head import CompleteHead
from advtool.io.readers import Listing
from advtool.io.samples import Sample
from advtool.launchers import ALONE, Processes, share_of_machine
from advtool.preprocessing import Preprocessing

SHUFFLE_BUFFER = 10_000
"""Samples, still encoded, of which the next is drawn."""
SHUFFLE_BYTES = 256 << 20
"""What they may take at most, by the first of them."""
CHUNK = 16
"""Images that a worker decodes at a time."""
_LOOKED_AT = 32
_READERS = 4
"""Threads that read files."""

Decoded = tuple[np.ndarray, list[int], list[str]]
"""Pixels N×C×H×W, labels, keys."""


def automatic_workers() -> int:
    """Worker processes for each process: a core each, but for the one that trains; none where there is only that."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(0, min(16, cores // share_of_machine() - 1))


class StreamBatches:
    """A source read anew each epoch.

    What lists its samples is shuffled as a whole, and each process reads and decodes its rows of every batch. Shards
    come in an order drawn for the epoch; each process has a stretch of them, cut so that all have the same number of
    images in every step, and shuffles in a buffer. Either way each image comes once an epoch, in one process. At most
    two batches are decoded ahead.

    Parameters
    ----------
    limit : use the first so many samples
    workers : processes that decode; 0 decodes in this one
    size : scale images to this side: by random-resized crops if `random_crop`, else the centre; None for as they are
    here : which of several processes this one is
    counts : samples in each shard, by its path; without them all shards are one stretch

    Attributes
    ----------
    decoded : images that were decoded here so far

    Raises
    ------
    UsageError
        if there are too few images, of all or of a batch, for so many processes
    """

    def __init__(
        self,
        source: Source,
        head: CompleteHead,
        batch_size: int,
        seed: int,
        device: torch.device,
        limit: int | None = None,
        workers: int = 0,
        size: int | None = None,
        random_crop: bool = False,
        here: Processes = ALONE,
        counts: Mapping[str, int] | None = None,
    ):
        self.head = head
        self.n: int | None = limit
        self.decoded = 0
        self._source, self._batch_size, self._seed = source, batch_size, seed
        self._device, self._limit, self._workers, self._here = device, limit, workers, here
        self._decoder, self._feed = _Decoder(head, size, random_crop), _Feed()
        self._pieces = pieces_of(source, counts, limit)
        self._loader: DataLoader | None = None
        if here.world > 1 and is_whole(least := min(batch_size, limit or batch_size), here.world):
            needed = f"{FEWEST} images each for {here.world} processes"
            raise UsageError(f"of {least} images there are not {needed}", "batch_size", batch_size)

    @property
    def sizes(self) -> Sequence[int] | None:
        """Of the batches; a last one that leaves a process fewer than two images joins the one before it."""
        return None if self.n is None else sizes_of(self.n, self._batch_size, FEWEST * self._here.world)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        count, found = 0, list[Decoded]()
        lengths = deque[int]()
        groups = self._read(epoch, start)
        with closing(groups):
            self._feed.chunks = self._chunks(groups, lengths, seeds.derive(self._seed, "crop", epoch))
            for chunk in self._decoding():
                if isinstance(chunk, AdvtoolError):
                    raise chunk
                found.append(chunk)
                if sum(len(labels) for _, labels, _ in found) == lengths[0]:
                    count += lengths.popleft()
                    yield self._batch(found)
                    found = []
        self.decoded += count
        if self.n is None:
            self.n = count

    def _batch(self, found: Sequence[Decoded]) -> Batch:
        pixels, labels, keys = zip(*found, strict=True)
        return (
            to_float(torch.from_numpy(np.concatenate(pixels)).to(self._device)),
            torch.tensor([*chain(*labels)], device=self._device),
            keyed.ids_of(chain(*keys)).to(self._device),
        )

    def _decoding(self) -> DataLoader:
        if self._loader is None:
            about: dict[str, Any] = {}
            if self._workers:
                ahead = -(-2 * self._batch_size // (CHUNK * self._workers * self._here.world))
                about = {"num_workers": self._workers, "persistent_workers": True, "prefetch_factor": max(2, ahead)}
                about |= {"multiprocessing_context": _forkserver(), "worker_init_fn": _in_worker}
            own = torch.Generator()  # so that the seeds of workers are not drawn from the generator that training uses
            feed: Any = self._feed  # of chunks, where a type of torch's says lists of indices
            self._loader = DataLoader(self._decoder, batch_sampler=feed, collate_fn=_as_it_is, generator=own, **about)
        return self._loader

    def _chunks(self, groups: Iterator[list[Sample]], lengths: deque[int], crops: int) -> Iterator["_Chunk"]:
        """What workers decode at a time; `lengths` gets how many images each batch has."""
        for group in groups:
            self._decoder.expect(group[0])
            lengths.append(len(group))
            for first in range(0, len(group), CHUNK):
                yield crops, group[first : first + CHUNK]

    def _read(self, epoch: int, start: int) -> Generator[list[Sample]]:
        """This process's samples of each batch from number `start` on, still encoded."""
        seed = seeds.derive(self._seed, "order", epoch)
        with self._source.open() as reader:
            listing = reader.listing()
        if listing is not None:
            yield from self._listed(listing, seed, start)
        else:
            yield from islice(self._streamed(seed, seeds.derive(self._seed, "shards", epoch)), start, None)

    def _listed(self, listing: Listing, seed: int, start: int) -> Iterator[list[Sample]]:
        """Files, which threads read a little ahead."""
        order = np.random.default_rng(seed).permutation(len(listing.keys[: self._limit])).tolist()
        ahead = deque[list[Future[Sample]]]()
        batches = islice(self._portions(iter(order)), start, None)
        with ThreadPoolExecutor(_READERS) as pool:
            try:
                for numbers in batches:
                    ahead.append([pool.submit(listing.read, number) for number in numbers])
                    if len(ahead) > 1:
                        yield [future.result() for future in ahead.popleft()]
                for futures in ahead:
                    yield [future.result() for future in futures]
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    def _portions(self, numbers: Iterator[int]) -> Iterator[list[int]]:
        """This process's numbers of each batch."""
        if (sizes := self.sizes) is None:
            yield from grouped(numbers, self._batch_size)
            return
        for rows in sizes:
            whole = list(islice(numbers, rows))
            yield whole[portion(rows, self._here)]

    def _streamed(self, seed: int, shards: int) -> Iterator[list[Sample]]:
        """Stretches of shards."""
        from webdataset.filters import shuffle

        own = None if self.sizes is None else [portion(rows, self._here) for rows in self.sizes]
        pieces: list[Piece] = [self._pieces[i] for i in np.random.default_rng(shards).permutation(len(self._pieces))]
        samples = _samples(pieces)
        if own is not None and self._here.world > 1:
            totals = [
                sum(len(range(rows)[portion(rows, Processes(rank, self._here.world))]) for rows in self.sizes or ())
                for rank in range(self._here.world)
            ]
            samples = _samples(ranges(pieces, sum(totals[: self._here.rank]), totals[self._here.rank]))
        first = list(islice(samples, _LOOKED_AT))
        largest = max((sum(map(len, sample.members.values())) for sample in first), default=1)
        held = max(1, min(SHUFFLE_BUFFER, SHUFFLE_BYTES // max(largest, 1)))
        shuffled = iter(shuffle(held, initial=held, seed=seed)(chain(first, samples)))
        if own is None:
            yield from grouped(shuffled, self._batch_size)
            return
        for rows in own:
            if group := list(islice(shuffled, rows.stop - rows.start)):
                yield group


_Chunk = tuple[int, list[Sample]]
"""Seed of the crops, samples."""


class _Feed:
    """What a `DataLoader` has its workers do next: its batch sampler, filled anew for each epoch."""

    def __init__(self) -> None:
        self.chunks: Iterator[_Chunk] = iter(())

    def __iter__(self) -> Iterator[_Chunk]:
        return self.chunks


class _Decoder(Dataset):
    """Encoded samples in, pixels out. A sample that is not as it should be is returned as the error, whole."""

    def __init__(self, head: CompleteHead, size: int | None, random_crop: bool):
        self._check = SampleChecker(head, sizes_differ=size is not None)
        self._size, self._random_crop, self._knows = size, random_crop, False

    def expect(self, first: Sample) -> None:
        """Know what samples are like, from the first, so that all workers expect the same."""
        if not self._knows:
            self._check(first)
            self._knows = True

    def __getitems__(self, chunk: _Chunk) -> Decoded | AdvtoolError:
        crops, samples = chunk
        try:
            decoded = [self._decode(sample, crops) for sample in samples]
        except AdvtoolError as error:
            return error
        return np.stack([pixels for pixels, _ in decoded]), [label for _, label in decoded], [s.key for s in samples]

    def _decode(self, sample: Sample, crops: int) -> tuple[np.ndarray, int]:
        pixels, label = self._check(sample)
        if self._size and self._random_crop:
            return random_resized_crop(pixels, self._size, sample.key, crops), label
        return (Preprocessing(self._size)(pixels) if self._size else pixels), label


def _samples(pieces: Sequence[Piece]) -> Iterator[Sample]:
    for piece in pieces:
        with piece.source.open() as reader:
            yield from islice(iter(reader), piece.first, None if piece.n is None else piece.first + piece.n)


def _as_it_is(found: Any) -> Any:
    return found


def _forkserver() -> Any:
    context = torch.multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["advtool.data.streamed"])
    return context


def _in_worker(_: int) -> None:
    """Signals are for the process that trains; its workers end with it."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
