"""The options of attacks that are made for other models than the one attacked."""

from dataclasses import dataclass
from typing import ClassVar

from advtool.options import Options, option

AVERAGED = ("logits", "losses")
"""What can be averaged over the models of an ensemble."""


@dataclass(frozen=True, kw_only=True)
class Transferring(Options):
    """What makes perturbations transfer."""

    panel: ClassVar[str] = "Attack"

    momentum: float | None = option(
        "--momentum",
        metavar="M",
        minimum=0,
        help="Share of the last direction that stays in a step (Dong et al. 2018).",
        unset="1",
    )
    diversity: float | None = option(
        "--diversity",
        metavar="P",
        minimum=0,
        maximum=1,
        help="Probability that an image is shrunk and moved before a gradient is taken (Xie et al. 2019).",
        unset="0; 0.5 in di-mi-fgsm",
    )
    translation: int | None = option(
        "--translation",
        metavar="K",
        minimum=1,
        help="Side of the Gaussian by which gradients are smoothed, odd (Dong et al. 2019).",
        unset="1 (off)",
    )
