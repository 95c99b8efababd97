"""What can be said about a training run. What is not said, the data decides: see `config`."""

from dataclasses import dataclass
from typing import ClassVar

from advtool import registry
from advtool.errors import UsageError
from advtool.groups import Amount, Machine, Memory, Precision
from advtool.options import Options, Table, option
from advtool.training.kinds import OBJECTIVES
from advtool.values import counts, fraction

SCHEDULES = ("constant", "step", "cosine", "one-cycle")
OPTIMIZERS = ("sgd", "adam")
SELECTIONS = ("best", "last")
RESIZED_CROPS = ("rrc", "rrc+flip")
AUGMENTATIONS = ("none", "crop", "flip", "crop+flip", *RESIZED_CROPS)


_BETAS = ", ".join(f"{kind.beta:g} for {name}" for name, kind in OBJECTIVES.items() if kind.beta)
_ATTACKED = frozenset({"eps", "steps", "step_size", "random_start", "objective", "eps_warmup", "test_limit"})
_ATTACKED |= frozenset().union(*(kind.takes for kind in OBJECTIVES.values())) - {"label_smoothing"}
TABLES = (
    Table("adv", {"none": frozenset({"noise"}), **dict.fromkeys(registry.NORMS, _ATTACKED)}),
    Table("objective", {name: kind.takes for name, kind in OBJECTIVES.items()}),
    Table("schedule", {**dict.fromkeys(SCHEDULES, frozenset()), "step": frozenset({"lr_drops", "lr_drop_factor"})}),
    Table("arch", {"mlp": frozenset({"hidden"})}, others=True),
)


@dataclass(frozen=True, kw_only=True)
class Adversary(Options):
    """Whom to train against."""

    panel: ClassVar[str] = "Adversary"

    adv: str = option(
        "--adv", choices=("none", *registry.NORMS), default="none", help="Norm of the adversary, per image."
    )
    eps: float | None = option(
        "--eps",
        metavar="E",
        minimum=0,
        parse=fraction,
        help="Radius on the [0,1] pixel scale, such as 0.5 or 8/255.",
        unset="none; an adversary has to have one",
    )
    steps: int | None = option("--steps", metavar="K", minimum=0, help="PGD steps.", unset="7")
    step_size: float | None = option(
        "--step-size",
        metavar="A",
        help="Length of a step, on the [0,1] pixel scale.",
        unset="eps/5; 1.25·eps for fast, eps for free",
    )
    random_start: bool | None = option(
        "--random-start/--no-random-start",
        help="Begin at a random point of the ball.",
        unset="on for linf and for fast, off for l2",
    )


@dataclass(frozen=True, kw_only=True)
class Objective(Options):
    """What is minimised.

    Attributes
    ----------
    lam : λ of λ·ℓ(x+δ) − (λ−1)·ℓ(x); 0 is standard training
    replays : times that ``free`` goes through each batch
    attack_correct_only : leave images alone that are misclassified already
    noise : standard deviation of Gaussian noise on the pixels, not clipped
    eps_warmup : epochs in which the radius grows from 0, linearly by steps
    """

    panel: ClassVar[str] = "Objective"

    objective: str = option(
        "--objective",
        choices=tuple(OBJECTIVES),
        default="pgd",
        help="What is minimised against the adversary: fast takes one step of 1.25·eps from a random point, free shares"
        " each gradient between weights and perturbation.",
    )
    lam: float = option(
        "--lam",
        metavar="L",
        default=1.0,
        help="Of the joint objective L·ℓ(x+δ) − (L−1)·ℓ(x); 0 is standard training.",
    )
    beta: float = option(
        "--beta",
        metavar="B",
        help="Weight of the divergence.",
        unset=_BETAS,
    )
    replays: int = option(
        "--replays",
        metavar="M",
        minimum=1,
        help="Times that free trains on each batch; it makes M times fewer epochs than --epochs says.",
        unset="4",
    )
    attack_correct_only: bool = option(
        "--attack-correct-only", default=False, help="Leave images alone that are misclassified already."
    )
    eps_warmup: float = option(
        "--eps-warmup", metavar="E", default=0.0, help="Epochs in which eps grows from 0, linearly.", unset="0 (off)"
    )
    noise: float = option(
        "--noise",
        metavar="S",
        default=0.0,
        help="Train on x + N(0, S²), not clipped, instead of against an adversary.",
        unset="0 (off)",
    )


@dataclass(frozen=True, kw_only=True)
class Network(Options):
    """What is trained."""

    panel: ClassVar[str] = "Network"

    arch: str | None = option(
        "--arch",
        metavar="NAME",
        help="Architecture: linear, mlp, cnn-small, cnn, resnet-tsipras, wrn-28-10, preactresnet18, dm-wrn-28-10,"
        " inception, any in torchvision, or timm:NAME.",
        unset="by image size, cnn-small to resnet50",
    )
    width: float | None = option(
        "--width", metavar="W", above=0, maximum=64, help="Factor on the width of every layer.", unset="1"
    )
    hidden: tuple[int, ...] | None = option(
        "--hidden", metavar="N,…", parse=counts, help="Sizes of the hidden layers.", unset="1024,1024"
    )
    top_pixels: int | None = option(
        "--top-pixels",
        metavar="K",
        minimum=1,
        help="Let the model see only the K pixels that correlate most with the label.",
        unset="all",
    )

    def arch_args(self) -> dict:
        """Arguments of the architecture."""
        args = {"width": self.width, "hidden": None if self.hidden is None else list(self.hidden)}
        return {name: value for name, value in args.items() if value is not None}


@dataclass(frozen=True, kw_only=True)
class Optimisation(Options):
    """How it is trained.

    Attributes
    ----------
    epochs : passes over the data
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
        unset="15 up to 16×16 pixels, 10 up to 28×28, else 150",
    )
    batch_size: int = option("--batch-size", metavar="N", minimum=1, help="Images per step.", unset="128")
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
        unset="0.005 up to 16×16 pixels, 0.002 up to 28×28, else 0.1",
    )
    momentum: float = option("--momentum", metavar="M", maximum=1, help="Of SGD, or Adam's β₁.", unset="0.9")
    weight_decay: float = option("--weight-decay", metavar="D", help="Its coefficient; 0 turns it off.", unset="0.0005")
    schedule: str = option(
        "--schedule",
        choices=SCHEDULES,
        help="Of the learning rate.",
        unset="one-cycle up to 28×28 pixels, else step",
    )
    lr_drops: tuple[int, ...] = option(
        "--lr-drops", metavar="E,…", parse=counts, help="Epochs at which the rate drops.", unset="1/3 and 2/3 of all"
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
        help="Per image: crops padded by 4, or random-resized crops.",
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


@dataclass(frozen=True, kw_only=True)
class Compilation(Options):
    """How the network is run."""

    panel: ClassVar[str] = "Machine"

    workers: int = option(
        "--workers", metavar="N", minimum=1, default=2, help="Threads that decode streamed images.", decides=False
    )
    compile: bool = option("--compile/--no-compile", default=False, help="Compile the network with torch.compile.")


@dataclass(frozen=True, kw_only=True)
class Training(Amount, Adversary, Objective, Network, Optimisation, Kept, Machine, Precision, Memory, Compilation):
    """All that is asked of a training run.

    Examples
    --------
    >>> Training(adv="l2", eps=0.5, epochs=5, seed=1)
    """

    tables = TABLES

    def validate(self) -> None:
        """Raise UsageError for settings that do not go together."""
        super().validate()
        if self.adv != "none" and self.eps is None:
            raise UsageError(f"is needed with an adversary, such as {registry.NORMS[self.adv].example}", "eps")
        if self.eps is not None:
            registry.check_radius(self.adv, self.eps)
        if self.ema is False and self.ema_decay is not None:
            raise UsageError("has no use without the average", "ema_decay", self.ema_decay)
        if self.size is None and self.augment in RESIZED_CROPS:
            raise UsageError("needs a size, the side of the crops", "augment", self.augment)

    @property
    def random_crop(self) -> bool:
        """Whether images are scaled by random-resized crops."""
        return self.size is not None and (self.augment or "rrc") in RESIZED_CROPS
