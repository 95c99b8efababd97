"""The options that several commands share. They mean the same everywhere."""

from pathlib import Path
from typing import Annotated

import typer

Data = Annotated[
    str | None,
    typer.Option(
        "--data",
        metavar="SOURCE",
        help="Images: '-' (stdin), a name (see 'advtool data --list'), a .tar or .tar.gz shard, a glob or brace"
        " pattern, an .npz archive, or a directory of shards or class folders. Default: stdin if it is a pipe or"
        " file, else digits.",
    ),
]
Split = Annotated[
    str | None,
    typer.Option(
        "--split",
        metavar="train|test",
        help="Part of a named dataset or directory to read. Default: test for eval, else train.",
    ),
]
DataRoot = Annotated[
    Path | None,
    typer.Option(
        "--data-root",
        metavar="DIR",
        help="Where torchvision datasets lie. Default: $ADVTOOL_DATA, else ~/.cache/advtool.",
    ),
]
Download = Annotated[
    bool, typer.Option("--download", help="Download a named dataset that is not on disk. Default: never.")
]
Out = Annotated[
    str | None,
    typer.Option(
        "-o",
        "--out",
        metavar="FILE|-",
        help="Output. Default: stdout if it is a pipe or file, else a fresh file in this directory.",
    ),
]
Force = Annotated[bool, typer.Option("-f", "--force", help="Overwrite an existing output. Default: an error.")]
Adv = Annotated[
    str,
    typer.Option("--adv", metavar="none|l2|linf", help="Norm of the adversary, per image. Default: none."),
]
Eps = Annotated[
    str | None,
    typer.Option("--eps", metavar="E", help="Radius on the [0,1] pixel scale, such as 0.5 or 8/255. Default: none."),
]
EpsList = Annotated[
    str | None,
    typer.Option("--eps", metavar="E[,E…]", help="Radii on the [0,1] pixel scale: 0.25,0.5 or 8/255. Default: none."),
]
StepSize = Annotated[
    str | None,
    typer.Option(
        "--step-size",
        metavar="A",
        help="Length of a PGD step, on the [0,1] pixel scale. Default: eps/5 in training, 2.5·eps/steps in evaluation.",
    ),
]
Steps = Annotated[
    int | None,
    typer.Option("--steps", metavar="K", min=0, help="PGD steps. Default: 7 in training, 50 in evaluation."),
]
RandomStart = Annotated[
    bool | None,
    typer.Option(
        "--random-start/--no-random-start",
        help="Begin PGD at a random point of the ball. Default: on for linf, off for l2.",
    ),
]
Seed = Annotated[
    int, typer.Option("--seed", metavar="N", min=0, max=2**31 - 1, help="Seed of everything random. Default: 0.")
]
Device = Annotated[
    str,
    typer.Option("--device", metavar="NAME", help="auto, cpu, cuda, cuda:1 or mps. Default: the fastest found."),
]
BatchSize = Annotated[
    int | None,
    typer.Option(
        "--batch-size",
        metavar="N",
        min=1,
        help="Images at a time. Default: 128 in training, 512 in attacks and evaluation.",
    ),
]
Limit = Annotated[
    int | None,
    typer.Option("-n", "--limit", metavar="N", min=1, help="Use the first N images. Default: all."),
]
Amp = Annotated[
    bool | None,
    typer.Option(
        "--amp/--no-amp",
        help="Compute in bfloat16; successes of attacks are confirmed in float32. Default: on for CUDA, and for"
        " attacks on CPUs with bfloat16 instructions.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Report as one line of JSON. Default: a table at a terminal.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Only errors on stderr. Default: off.")]
Verbose = Annotated[
    bool, typer.Option("-v", "--verbose", help="More on stderr, and a traceback for any error. Default: off.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the resolved configuration and stop. Default: off.")]
ShardSize = Annotated[
    int | None,
    typer.Option("--shard-size", metavar="N", min=1, help="Samples a shard when -o names a directory. Default: 10000."),
]
ShardOut = Annotated[
    str | None,
    typer.Option(
        "-o",
        "--out",
        metavar="FILE|DIR/|-",
        help="One tar (gzipped if it ends in .gz), or a directory for SPLIT-000000.tar and on. Default: stdout if it is"
        " a pipe or file, else a fresh file.",
    ),
]
ResumeShards = Annotated[
    bool,
    typer.Option(
        "--resume",
        help="Go on from the finished shards that an interrupted run with -o DIR/ left. Default: start anew.",
    ),
]
Ckpt = Annotated[
    str | None,
    typer.Option("--ckpt", metavar="FILE|-", help="Checkpoint. Default: stdin, if that carries safetensors."),
]
Restarts = Annotated[
    int,
    typer.Option(
        "--restarts",
        metavar="R",
        min=1,
        help="Runs of an attack that starts at random (pgd: all but the first). Default: 1.",
    ),
]
Loss = Annotated[
    str | None, typer.Option("--loss", metavar="ce|dlr|margin", help="What --attack apgd maximises. Default: ce.")
]
CkptArch = Annotated[
    str | None,
    typer.Option(
        "--arch",
        metavar="NAME",
        help="Architecture of a PyTorch (.pt) checkpoint. Default: none; a safetensors checkpoint says its own.",
    ),
]
Normalize = Annotated[
    str | None,
    typer.Option(
        "--normalize",
        metavar="none|imagenet|MEANS/STDS",
        help="Normaliser of a PyTorch (.pt) checkpoint that holds none: imagenet, or a mean and a deviation a channel."
        " Default: none.",
    ),
]
MaxMemory = Annotated[
    float | None,
    typer.Option(
        "--max-memory",
        metavar="GIB",
        min=0,
        help="Memory for images: train streams those that need more, distill draws its starts from a part of them."
        " Default: half of what is free.",
    ),
]
