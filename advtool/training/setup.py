"""From data and wishes to a model and batches."""

import copy
import functools
import warnings
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch

from advtool import distributed, seeds
from advtool.data import holdout
from advtool.data.arrays import Images, TooLarge, load
from advtool.data.batches import Batches, MemoryBatches
from advtool.data.correlation import most_correlated
from advtool.data.matching import POSITION, ClassMismatch, ClassNote, are_numbers, listed, match
from advtool.data.pieces import of_several
from advtool.data.sources import Source
from advtool.data.streamed import StreamBatches, automatic_workers
from advtool.data.watching import watched
from advtool.errors import AdvtoolError, UsageError
from advtool.io.head import CompleteHead, complete
from advtool.io.shape import shape_text
from advtool.launchers import processes
from advtool.models import heads
from advtool.models.classifier import Classifier, ModelSpec
from advtool.models.importing import refit
from advtool.models.registry import build, check_runs, default_arch
from advtool.preprocessing import Preprocessing

STATISTICS_IMAGES = 10_000
STATISTICS_RESIZED = 2_000


@dataclass(frozen=True)
class TrainingData:
    """Training images, in memory or, where they do not fit, as a source to stream from.

    Attributes
    ----------
    images : all of them; the first 10,000 if they are streamed, 2,000 if they are resized
    n : how many there are
    size : side that the images are scaled to; None for as they are
    random_crop : scale by random-resized crops
    counts : of a stream of shards, how many samples each has, by its path
    """

    source: Source
    images: Images
    n: int
    streamed: bool
    limit: int | None
    size: int | None = None
    random_crop: bool = False
    counts: Mapping[str, int] | None = None

    @property
    def head(self) -> CompleteHead:
        return self.images.head

    def batches(self, batch_size: int, seed: int, device: torch.device, workers: int | None = 0) -> Batches:
        """Batches of this data on the device; streamed ones are decoded by so many processes, None: as fit."""
        if not self.streamed:
            return MemoryBatches(self.images, batch_size, seed, device, processes())
        return StreamBatches(
            self.source,
            self.head,
            batch_size,
            seed,
            device,
            limit=self.n,
            workers=automatic_workers() if workers is None else workers,
            size=self.size,
            random_crop=self.random_crop,
            here=processes(),
            counts=self.counts,
        )


def read_training_data(
    source: Source, limit: int | None, budget: float, size: int | None = None, random_crop: bool = False
) -> TrainingData:
    """Read training images into memory, or prepare to stream them.

    They are streamed if they need more than `budget` bytes, and for random-resized crops, which need them whole.

    Raises
    ------
    AdvtoolError
        if they have to be streamed and come from a pipe, which cannot be read again
    """
    if not (size and random_crop):
        try:
            images = load(source, limit, budget, resizing(size), processes())
            return TrainingData(source, images, len(images), False, limit, size)
        except TooLarge as error:
            if not source.repeatable:
                raise AdvtoolError(f"{error}, too much for memory: write them to shards and train on those") from None
    elif not source.repeatable:
        raise AdvtoolError(
            f"{source.name}: random-resized crops need images that can be read again: write them to shards,"
            " or name another augmentation"
        )
    first = STATISTICS_RESIZED if size else STATISTICS_IMAGES
    start = load(source, min(limit or first, first), preprocessing=resizing(size), here=processes())
    n, max_label, counts = _scan(source, limit)
    with source.open() as reader:
        head = complete(reader.head, start.head.shape, max_label)
    images = Images(start.pixels, start.labels, start.keys, head, start.name, start.split)
    return TrainingData(source, images, n, True, limit, size, random_crop, counts)


def resizing(size: int | None) -> Preprocessing | None:
    """How images are resized that are not cropped at random: those of training, validation and test."""
    return Preprocessing(size) if size else None


def hold_out(data: TrainingData, fraction: float, budget: float) -> tuple[TrainingData, Images]:
    """(the images to train on, those held out for validation), which are read into memory.

    Raises
    ------
    UsageError
        if one of the two would be empty
    AdvtoolError
        if the images held out need more than `budget` bytes
    """
    if not data.streamed:
        images, held_out = holdout.split(data.images, fraction)
        return replace(data, images=images, n=len(images)), held_out
    part, rest = (holdout.Part(data.source, fraction, which, data.limit) for which in (True, False))
    counts = None
    with part.open() as reader:
        if (known := reader.count()) is None:
            held = Counter(sample.shard for sample in reader)
            counts = {name: n - held[name] for name, n in (data.counts or {}).items()}
        count = held.total() if known is None else known
    holdout.check(count, data.n, fraction)
    first = holdout.split(data.images, fraction)[0]
    held_out = load(part, max_bytes=budget, preprocessing=resizing(data.size), here=processes())
    return replace(data, source=rest, images=first, n=data.n - count, counts=counts), held_out


def new_model(images: Images, arch: str | None, args: dict, seed: int, top_pixels: int | None = None) -> Classifier:
    """A freshly initialised model for these images; its normalisation is their mean and deviation.

    With `top_pixels` it sees only so many pixels, those that correlate most with the label on these images.
    """
    shape = images.head.shape
    mean, std = channel_statistics(images.pixels)
    pixels = most_correlated(images, top_pixels) if top_pixels else None
    spec = ModelSpec(arch or default_arch(shape), images.head.classes, shape, mean, std, args, pixels)
    torch.manual_seed(seeds.derive(seed, "initialisation") % 2**31)
    model = build(spec)
    check_runs(model)
    return model


def start_from(
    model: Classifier, images: Images, arch: str | None, args: dict, seed: int, own: bool = True
) -> Classifier:
    """A model to continue from, made one for the data: its size where the weights fit that, and its classes.

    Where the model knows the data's classes by name, its logits are put in their order. A model with as many classes
    keeps its last layer if the names of one of the two are numbers; else the last layer is drawn anew.

    Parameters
    ----------
    seed : of a new last layer
    own : the model is known to be for the size that it says, see `importing.refit`

    Raises
    ------
    UsageError
        if the options say another architecture
    AdvtoolError
        if the weights fit no images of the data's size
    """
    head, spec = images.head, model.spec
    if arch not in (None, spec.arch) or any(spec.args.get(name) != value for name, value in args.items()):
        raise UsageError(f"the checkpoint is a {spec.arch} {spec.args or ''}, not {arch} {args or ''}", "init")
    if head.shape != spec.shape:
        refit(model, head.shape, own)
    if head.shape != model.spec.shape:
        raise AdvtoolError(
            f"init: the model takes {shape_text(spec.shape)} images, the data has {shape_text(head.shape)}"
        )
    if keeps_classes(head.classes, spec.classes):
        return heads.fitted(model, head.classes, "init").model
    text = f"init: new last layer for {listed(head.classes)}; the checkpoint's is for {listed(spec.classes)}"
    warnings.warn(text, ClassNote, stacklevel=2)
    return heads.with_classes(model, head.classes, seed)


def keeps_classes(names: tuple[str, ...], known: tuple[str, ...]) -> bool:
    """Whether a model that knows classes can learn these without a new last layer."""
    numbers = are_numbers(names), are_numbers(known)
    if any(numbers):
        return len(names) == len(known)
    try:
        return match(names, known).by != POSITION
    except ClassMismatch:
        return False


@torch.no_grad()
def check_batches(model: Classifier, n: int, batch_size: int) -> None:
    """Refuse batches of one image where BatchNorm would see one value per channel, of which there is no deviation.

    Raises
    ------
    UsageError
        naming the batch size, or the number of images where that is 1
    """
    if min(n, batch_size) > 1:
        return
    parameter = next(model.parameters())
    try:
        copy.deepcopy(model).train()(torch.zeros(1, *model.spec.shape, device=parameter.device))
    except ValueError:
        words = f"BatchNorm of {model.spec.arch} cannot train on one image of {shape_text(model.spec.shape)} at a time"
        if n == 1:
            raise AdvtoolError(f"{words}: there is only one; give it more images") from None
        raise UsageError(f"{words}; take 2 or more", "batch_size", batch_size) from None


def channel_statistics(pixels: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation per channel on the [0, 1] scale, to four digits; a constant channel has 1."""
    scale = 255 if pixels.dtype == np.uint8 else 1
    mean, std = [], []
    for channel in range(pixels.shape[1]):
        values = pixels[:, channel]
        mean.append(round(float(values.mean(dtype=np.float64)) / scale, 4))
        std.append(round(float(values.std(dtype=np.float64)) / scale, 4) or 1.0)
    return tuple(mean), tuple(std)


def _scan(source: Source, limit: int | None) -> tuple[int, int, Mapping[str, int] | None]:
    """(number of samples, largest label, samples by shard where they were counted), without decoding images."""
    with source.open() as reader:
        known, num_classes = reader.count(), reader.head.num_classes
        if known is not None and num_classes is not None:
            return min(known, limit or known), num_classes - 1, None
    own = of_several(source, processes()) if limit is None else None
    counts, largest = Counter[str](), 0
    with (own or source).open() as reader:
        for sample in watched("counting images", reader, reader, limit):
            counts[sample.shard] += 1
            largest = max(largest, sample.label)
        head = reader.head
    if own is not None:  # of which heads have to agree
        parts = distributed.gathered((counts, largest, head))
        counts, largest = sum((each for each, _, _ in parts), Counter[str]()), max(most for _, most, _ in parts)
        functools.reduce(lambda one, other: one.merged(other, source.name), (each for _, _, each in parts))
    return counts.total(), largest, counts
