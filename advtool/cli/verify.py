"""``advtool verify``: does a claim about robustness hold?"""

from dataclasses import dataclass
from typing import ClassVar

from advtool.cli.groups import Checkpoint, Talk
from advtool.groups import Machine
from advtool.options import Options, option


@dataclass(frozen=True, kw_only=True)
class Claimed(Options):
    """What is claimed, and the images that are to show it."""

    panel: ClassVar[str] = "Claim"

    claim: str = option(
        metavar="CLAIM.json", default="", help="Report of `advtool eval --json --save-adversarial`.", unset="none"
    )
    data: str | None = option(
        "--data",
        metavar="FILE",
        help="The shard that was written by --save-adversarial.",
        unset="none; it has to be given",
    )
    source: str | None = option(
        "--source",
        metavar="SOURCE",
        help="The data that the claim is about, to compare the images with as they were.",
        unset="they are taken as they are in the shard",
    )
    json: bool = option("--json", default=False, help="Print the verdict as JSON.", recorded=False)


@dataclass(frozen=True, kw_only=True)
class Verify(Claimed, Checkpoint, Machine, Talk):
    """Check a claim: norms, range, labels, predictions and counts, in one pass over the images that were saved.

    Nothing is taken from the run that made the claim but its report and its images. Exits with 1, naming what is wrong.
    """

    command = "verify"
