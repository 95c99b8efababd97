"""How a network is optimised and which weights are kept. What is not said, data and method decide: see `recipes`."""

from dataclasses import dataclass
from typing import ClassVar

from advtool.options import Options, option
from advtool.values import counts

SCHEDULES = ("constant", "step", "cosine", "one-cycle", "triangle")
OPTIMIZERS = ("sgd", "adam")
SELECTIONS = ("best", "last")
RESIZED_CROPS = ("rrc", "rrc+flip")
AUGMENTATIONS = ("none", "crop", "flip", "crop+flip", "crop+flip+jitter+rotate", *RESIZED_CROPS)


@dataclass(frozen=True, kw_only=True)
class Optimisation(Options):
    """How it is trained.

    Attributes
    ----------
    epochs : passes over the data
    accumulate : batches to a step; its gradient is that of the mean loss over all their images
    optimizer : ``sgd`` (Nesterov-free momentum) or ``adam`` (with decoupled weight decay, AdamW)
    lr : peak learning rate
    momentum : of SGD, or Adam's β₁
    schedule, lr_drops, lr_drop_factor : see `schedule.factor`; drops are epochs
    label_smoothing : mass of each target spread over all classes, in [0, 1)
    augment : see `data.augment`
    """

    panel: ClassVar[str] = "Optimiser"

    epochs: int = option(
        "--epochs",
        metavar="N",
        minimum=0,
        help="Passes over the data.",
        unset="15 up to 16×16 pixels (patterns 20), 10 up to 28×28, else each method's: 150, for trades 76, mart 120,"
        " fast 15, n-fgsm 30, free 205",
    )
    batch_size: int = option(
        "--batch-size", metavar="N", minimum=1, help="Images per step.", unset="128; 256 above 64×64 pixels"
    )
    accumulate: int = option(
        "--accumulate",
        metavar="N",
        minimum=1,
        default=1,
        help="Batches whose gradients add up to one step: a batch N times as large in the memory of one; each has its"
        " own BatchNorm and weight perturbation.",
    )
    optimizer: str = option(
        "--optimizer",
        choices=OPTIMIZERS,
        help="SGD with momentum, or Adam (AdamW).",
        unset="adam up to 28×28 pixels, else sgd",
    )
    lr: float = option(
        "--lr",
        metavar="R",
        help="Peak learning rate.",
        unset="0.005 up to 16×16 pixels, 0.002 up to 28×28, else 0.1, for mart 0.01, fast and n-fgsm 0.2",
    )
    momentum: float = option("--momentum", metavar="M", maximum=1, help="Of SGD, or Adam's β₁.", unset="0.9")
    weight_decay: float = option(
        "--weight-decay",
        metavar="D",
        help="Its coefficient.",
        unset="0 up to 28×28 pixels (patterns 2), else 0.0005, for trades and free 0.0002, mart 0.0035; 0.0001 above"
        " 64×64",
    )
    schedule: str = option(
        "--schedule",
        choices=SCHEDULES,
        help="Of the learning rate.",
        unset="one-cycle up to 28×28 pixels, else step; triangle for fast, n-fgsm",
    )
    lr_drops: tuple[int, ...] = option(
        "--lr-drops",
        metavar="E,…",
        parse=counts,
        help="Epochs at which the rate drops.",
        unset="1/3 and 2/3 of all, or each method's own",
    )
    lr_drop_factor: float = option("--lr-drop-factor", metavar="F", maximum=1, help="Of each drop.", unset="0.1")
    label_smoothing: float = option(
        "--label-smoothing",
        metavar="S",
        maximum=0.999,
        help="Target mass spread over all classes.",
        unset="0.3 for adversarial training up to 16×16 pixels, else 0 (off)",
    )
    augment: str = option(
        "--augment",
        choices=AUGMENTATIONS,
        help="Per image: crops padded by 4, or random-resized crops; jitter of colours by 0.25, turns by 2 degrees.",
        unset="none up to 28×28 pixels, else crop+flip, with --size rrc+flip (no flips for svhn and digits)",
    )
    size: int | None = option(
        "--size",
        metavar="PIXELS",
        minimum=1,
        maximum=4096,
        help="Scale images of any size: by random-resized crops in training, to the centre square in the test.",
        unset="as they are",
    )


@dataclass(frozen=True, kw_only=True)
class Kept(Options):
    """Which weights are kept.

    Attributes
    ----------
    ema_decay : of the moving average of the weights that is kept instead of them; 0 for none
    val : fraction of the training images held out for validation
    select : which epoch is kept: ``last``, or the ``best`` in validation
    """

    panel: ClassVar[str] = "What is kept"

    ema: bool | None = option("--ema/--no-ema", help="Keep an exponential moving average of the weights.", unset="off")
    ema_decay: float = option(
        "--ema-decay", metavar="D", below=1, help="Decay per step at most; turns --ema on.", unset="0.999"
    )
    val: float = option(
        "--val",
        metavar="F",
        below=1,
        default=0.0,
        help="Hold out this fraction of the training images, drawn by key, and validate on it after each epoch.",
        unset="0 (none)",
    )
    select: str = option(
        "--select",
        choices=SELECTIONS,
        needs="val",
        help="Which epoch to keep: the last, or the best in validation.",
        unset="best with --val, else last",
    )
