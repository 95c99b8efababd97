"""The options that several commands share. They mean the same everywhere."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from advtool.cli.settings import Configured
from advtool.errors import UsageError
from advtool.groups import Amount
from advtool.io.keys import Keys, image_keys, label_key
from advtool.options import Options, option

if TYPE_CHECKING:
    from advtool.data.sources import Source

SOURCE = (
    "Images: '-' (stdin), a name (see 'advtool data --list'), a .tar or .tar.gz shard, a glob or brace pattern, an"
    " .npz archive, or a directory of shards or class folders."
)


@dataclass(frozen=True, kw_only=True)
class Sources(Amount):
    """Where images come from, and which part of them."""

    panel: ClassVar[str] = "Data"
    default_split: ClassVar[str] = "train"

    split: str | None = option(
        "--split",
        metavar="train|val|test",
        help="Part of a named dataset or directory to read.",
        unset="train; test for eval and explain",
    )
    data_root: Path | None = option(
        "--data-root",
        metavar="DIR",
        help="Where torchvision datasets lie.",
        unset="$ADVTOOL_DATA, else ~/.cache/advtool",
    )
    download: bool = option(
        "--download",
        default=False,
        help="Download a named dataset that is not on disk.",
        unset="never",
        decides=False,
    )
    image_key: tuple[str, ...] = option(
        "--image-key",
        metavar="EXT[;EXT…]",
        parse=image_keys,
        default=(),
        help="Members of shards that are the images, the first that there is: jpg;png or input.png.",
        unset="the only image of a sample",
    )
    label_key: str | None = option(
        "--label-key",
        metavar="EXT|json:FIELD",
        parse=label_key,
        help="Member of shards that is the label, a number or a class name: cls, txt or json:label.",
        unset="cls, a number",
    )

    def resolve(self, spec: str | None, split: str | None = None, default_split: str | None = None) -> "Source":
        """The source that a ``--data`` value names, in the part asked for.

        Raises
        ------
        UsageError
            if there is none, or the options are for another kind of source
        """
        from advtool.data import sources

        source = sources.resolve(
            spec,
            split,
            default_split=default_split or self.default_split,
            data_root=self.data_root,
            download=self.download,
        )
        if split is not None and not source.splits:
            raise UsageError(f"{source.name} has no parts", "split", split)
        return sources.keyed(source, Keys(self.image_key, self.label_key))

    def refuse_keys(self, *found: "Source") -> None:
        """Raise UsageError for keys of members where none of the sources is shards."""
        from advtool.data.sources import takes_keys

        for name in ("image_key", "label_key"):
            if getattr(self, name) and not any(map(takes_keys, found)):
                raise UsageError(f"is for shards, and {found[0].name} is none", name)

    def refuse_elsewhere(self, specs: tuple[str | None, ...], used: frozenset[str] = frozenset()) -> None:
        """Raise UsageError for options of named datasets where none of the sources is one.

        Parameters
        ----------
        used : those that have another use in this run
        """
        from advtool.data import named

        if any(spec in named.NAMES and not Path(spec).exists() for spec in specs if spec):
            return
        for name in ("data_root", "download"):
            if name in self.given and name not in used:
                raise UsageError(f"is for a named dataset: --data {', '.join(named.NAMES)}", name)


@dataclass(frozen=True, kw_only=True)
class Input(Sources):
    """The images of one source."""

    panel: ClassVar[str] = "Data"

    data: str | None = option(
        "--data", metavar="SOURCE", help=SOURCE, unset="stdin if it is a pipe or file, else digits"
    )

    def open(self) -> "Source":
        """The source of ``--data``; options for named datasets or shards are refused for any other."""
        self.refuse_elsewhere((self.data,))
        source = self.resolve(self.data, self.split)
        self.refuse_keys(source)
        return source


@dataclass(frozen=True, kw_only=True)
class Foreign(Options):
    """What the file of another library does not say about its model."""

    panel: ClassVar[str] = "Model"

    arch: str | None = option(
        "--arch",
        metavar="NAME",
        help="Architecture of another library's checkpoint, which does not say it.",
        unset="what the checkpoint or the config.json beside it says, else what its names and shapes decide",
    )
    normalize: str | None = option(
        "--normalize",
        metavar="none|imagenet|MEANS/STDS",
        help="Normaliser of another library's checkpoint that holds none: imagenet, or a mean and a deviation per"
        " channel.",
        unset="none",
    )
    weights: str | None = option(
        "--weights",
        metavar="plain|ema|NAME",
        help="Which weights of another library's checkpoint that holds several, such as state_dict_ema.",
        unset="the moving average, else the first",
    )


@dataclass(frozen=True, kw_only=True)
class Checkpoint(Foreign):
    """A model that was trained."""

    panel: ClassVar[str] = "Model"

    ckpt: str | None = option(
        "--ckpt",
        metavar="FILE|DIR|-",
        help="Checkpoint, or another library's folder of one.",
        unset="stdin, if that carries safetensors",
    )


@dataclass(frozen=True, kw_only=True)
class Ascent(Options):
    """How an attack looks for a perturbation."""

    panel: ClassVar[str] = "Attack"

    step_size: float | None = option(
        "--step-size",
        metavar="A",
        help="Length of a step, on the [0,1] pixel scale.",
        unset="2.5·eps/steps; eps/steps in mi-fgsm",
    )
    random_start: bool | None = option(
        "--random-start/--no-random-start",
        help="Begin at a random point of the ball.",
        unset="on for linf, off for l2, l1 and for fgsm",
    )
    restarts: int | None = option(
        "--restarts", metavar="R", minimum=1, help="Runs; all but the first begin at random.", unset="1"
    )
    loss: str | None = option("--loss", choices=("ce", "dlr", "margin"), help="What is maximised.", unset="ce")
    eot: int | None = option(
        "--eot",
        metavar="N",
        minimum=1,
        help="Follow the mean gradient of N calls, of a model whose calls differ.",
        unset="1; 20 in autoattack-rand",
    )


@dataclass(frozen=True, kw_only=True)
class Talk(Configured):
    """What is said while it goes on."""

    panel: ClassVar[str] = "Messages"

    quiet: bool = option("-q", "--quiet", default=False, help="Only errors on stderr.", recorded=False)
    verbose: bool = option(
        "-v", "--verbose", default=False, help="More on stderr, and a traceback for any error.", recorded=False
    )


@dataclass(frozen=True, kw_only=True)
class DryRun(Options):
    panel: ClassVar[str] = "Messages"

    dry_run: bool = option(
        "--dry-run", default=False, help="Print the resolved configuration and stop.", recorded=False
    )


@dataclass(frozen=True, kw_only=True)
class Report(Options):
    panel: ClassVar[str] = "Messages"

    json: bool = option(
        "--json", default=False, help="Report as one line of JSON.", unset="a table at a terminal", recorded=False
    )


@dataclass(frozen=True, kw_only=True)
class Account(Options):
    """What a stage of a pipe did, for programs: its stdout carries data."""

    panel: ClassVar[str] = "Messages"

    json: bool = option("--json", default=False, help="Say what was done as a line of JSON on stderr.", recorded=False)
