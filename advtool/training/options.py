"""What can be said about a training run. What is not said, the data decides: see `config`."""

from dataclasses import dataclass
from typing import ClassVar

from advtool import norms
from advtool.errors import UsageError
from advtool.groups import Amount, Machine, Memory, Precision
from advtool.options import Options, Table, option
from advtool.training.kinds import OBJECTIVES
from advtool.training.optimisation import RESIZED_CROPS, SCHEDULES, Kept, Optimisation
from advtool.values import counts, integer, listed, one_or_more, text

_BETAS = ", ".join(f"{kind.beta:g} for {name}" for name, kind in OBJECTIVES.items() if kind.beta)
_ATTACKED = frozenset({"eps", "steps", "step_size", "random_start", "objective", "eps_warmup", "test_limit"})
_ATTACKED |= frozenset().union(*(kind.takes for kind in OBJECTIVES.values())) - {"label_smoothing", "accumulate"}
UNIONS = ("random", "worst")
"""What training makes of several norms."""

TABLES = (
    Table("adv", {"none": frozenset({"noise"}), **dict.fromkeys(norms.with_directions(), _ATTACKED)}),
    Table("objective", {name: kind.takes for name, kind in OBJECTIVES.items()}),
    Table("schedule", {**dict.fromkeys(SCHEDULES, frozenset()), "step": frozenset({"lr_drops", "lr_drop_factor"})}),
    Table("arch", {"mlp": frozenset({"hidden"})}, others=True),
)


@dataclass(frozen=True, kw_only=True)
class Adversary(Options):
    """Whom to train against."""

    panel: ClassVar[str] = "Adversary"

    adv: str = option(
        "--adv",
        metavar="NORM[,NORM…]",
        default="none",
        help=f"{listed(('none', *norms.with_directions()))}, per image; several: an adversary who may take any.",
    )
    eps: float | tuple[float, ...] | None = option(
        "--eps",
        metavar="E[,E…]",
        minimum=0,
        parse=one_or_more,
        help="Radius on the [0,1] pixel scale, such as 0.5 or 8/255; of several norms one each.",
        unset="none; an adversary has to have one",
    )
    union: str | None = option(
        "--union",
        choices=UNIONS,
        help="Of several norms take a random one for each batch, or all and the worst for each image.",
        unset="random",
    )
    steps: int | None = option("--steps", metavar="K", minimum=0, help="PGD steps.", unset="7; 10 for trades, mart")
    step_size: float | None = option(
        "--step-size",
        metavar="A",
        help="Length of a step, on the [0,1] pixel scale.",
        unset="eps/5 in l2, l1, eps/4 in linf, 7·eps/31 for trades, mart, 2.5·eps/steps if these are fewer; 1.25·eps"
        " for fast, eps for n-fgsm, free",
    )
    random_start: bool | None = option(
        "--random-start/--no-random-start",
        help="Begin at a random point of the ball.",
        unset="on for linf and for fast, off for l2, l1",
    )


@dataclass(frozen=True, kw_only=True)
class Objective(Options):
    """What is minimised.

    Attributes
    ----------
    lam : λ of λ·ℓ(x+δ) − (λ−1)·ℓ(x); 0 is standard training
    replays : times that ``free`` goes through each batch
    attack_correct_only : leave images alone that are misclassified already
    awp : γ of adversarial weight perturbation: the gradient is taken where each layer's weights are moved by so much of
        their norm up the loss (Wu et al. 2020)
    noise : standard deviation of Gaussian noise on the pixels, not clipped; against an adversary that of the smoothed
        model (SmoothAdv)
    eps_warmup : epochs in which the radius grows from 0, linearly by steps
    """

    panel: ClassVar[str] = "Objective"

    objective: str = option(
        "--objective",
        choices=tuple(OBJECTIVES),
        default="pgd",
        help="What is minimised against the adversary: fast takes one step of 1.25·eps from a random point, n-fgsm one"
        " of eps from noise of 2·eps, free shares each gradient between weights and perturbation.",
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
        unset="8",
    )
    attack_correct_only: bool = option(
        "--attack-correct-only", default=False, help="Leave images alone that are misclassified already."
    )
    eps_warmup: float = option(
        "--eps-warmup", metavar="E", default=0.0, help="Passes in which eps grows from 0, linearly.", unset="0 (off)"
    )
    awp: float = option(
        "--awp",
        metavar="G",
        minimum=0,
        default=0.0,
        help="Perturb the weights too, by this share of each layer's norm (adversarial weight perturbation); 0.005 to"
        " 0.01 are usual.",
        unset="0 (off)",
    )
    noise: float = option(
        "--noise",
        metavar="S",
        default=0.0,
        help="Train on x + N(0, S²), not clipped; with an adversary train the smoothed model (SmoothAdv, 2 draws).",
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
        unset="by image size, cnn-small to resnet50; mlp for patterns",
    )
    width: float | None = option(
        "--width", metavar="W", above=0, maximum=64, help="Factor on the width of every layer.", unset="1"
    )
    hidden: tuple[int, ...] | None = option(
        "--hidden",
        metavar="N,…",
        parse=counts,
        help="Sizes of the hidden layers.",
        unset="1024,1024; 256,16 for patterns",
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


def workers(text: str) -> int | None:
    """A number of processes; None for ``auto``."""
    return None if text == "auto" else integer(text)


@dataclass(frozen=True, kw_only=True)
class Compilation(Options):
    """How the network is run."""

    panel: ClassVar[str] = "Machine"

    workers: int | None = option(
        "--workers",
        metavar="N|auto",
        minimum=0,
        parse=workers,
        help="Processes that decode streamed images; 0 decodes in the one that trains.",
        unset="auto: a core each, but for one, at most 16",
        decides=False,
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
        if self.adv != "none":
            self._check_adversary()
        if self.ema is False and self.ema_decay is not None:
            raise UsageError("has no use without the average", "ema_decay", self.ema_decay)
        if self.size is None and self.augment in RESIZED_CROPS:
            raise UsageError("needs a size, the side of the crops", "augment", self.augment)

    @property
    def threats(self) -> tuple[tuple[str, float], ...]:
        """(norm, radius) of what the adversary may choose from; none without one."""
        radii = self.eps if isinstance(self.eps, tuple) else () if self.eps is None else (self.eps,)
        return () if self.adv == "none" else tuple(zip(self.adv.split(","), radii, strict=False))

    def _check_adversary(self) -> None:
        """Raise UsageError for norms, radii and options that make no adversary."""
        chosen = self.adv.split(",")
        if "none" in chosen:
            raise UsageError("none stands by itself", "adv", self.adv)
        if self.eps is None:
            example = ",".join(norms.NORMS[name].example for name in chosen)
            raise UsageError(f"is needed with an adversary, such as {example}", "eps")
        radii = self.eps if isinstance(self.eps, tuple) else (self.eps,)
        norms.check_several(chosen, radii)
        if len(radii) > len(chosen):
            raise UsageError("training has one radius, or one for each of several norms", "eps", text(radii))
        for name, radius in self.threats:
            norms.check_radius(name, radius)
        if len(chosen) == 1 and self.union is not None:
            raise UsageError("is for several norms", "union", self.union)
        if len(chosen) > 1 and self.objective != "pgd":
            raise UsageError("is for one norm; pgd takes several", "objective", self.objective)
        if len(chosen) > 1 and self.step_size is not None:
            raise UsageError("is for one norm: steps of another are of another length", "step_size")

    @property
    def random_crop(self) -> bool:
        """Whether images are scaled by random-resized crops."""
        return self.size is not None and (self.augment or "rrc") in RESIZED_CROPS
