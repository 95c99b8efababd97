"""Where training writes its checkpoints and its picture; what cannot work is refused before any of it."""

from collections.abc import Sequence
from pathlib import Path

from advtool import distributed
from advtool.cli import output, standard
from advtool.cli.train import Train
from advtool.data.sources import Source
from advtool.errors import UsageError
from advtool.training.logs import LINES
from advtool.training.state import StateFile


def stem(source: Source, options: Train) -> str:
    """What to call the output, from data, architecture and threat."""
    name = Path(source.name.rstrip("/")).name.split(".")[0]
    against = [part for norm, eps in options.threats for part in (norm, f"{eps:g}")] or ["standard"]
    return "-".join([name, *([options.arch.replace(":", "-")] if options.arch else []), *against])


def checkpoint_destination(stem: str, options: Train) -> output.Destination:
    """Where -o points, for one checkpoint.

    Parameters
    ----------
    stem : of the file name that is made up at a terminal
    """
    if options.json:
        standard.check_stdout()
    destination = output.destination(options.out, stem, ".safetensors", options.force, may_replace=options.resume)
    check_state(destination)
    if options.json and destination.path is None:
        raise UsageError("stdout carries the checkpoint; name a file for it with -o", "json")
    if options.resume and not (options.out and destination.regular):
        raise UsageError("needs -o FILE, beside which the state of the run lies", "resume")
    return destination


def check_state(destination: output.Destination) -> None:
    """Refuse a name beside which the state of the run would have none."""
    if destination.regular:
        output.check_name(StateFile.beside(destination.regular))


def check_processes(source: Source, places: Sequence[output.Destination | None], options: Train) -> None:
    """Several processes share the work on files, each reading them; a stream can be read or written by one only."""
    if distributed.processes().world == 1:
        return
    if not source.repeatable or options.init == "-" or "-" in options.eval_data:
        raise UsageError("several processes read images and checkpoints from files, not from stdin: --data SOURCE")
    if any(destination and destination.path is None for destination in places):
        raise UsageError("several processes write one checkpoint to a file: -o FILE")


def check_plot(options: Train) -> None:
    """Refuse a picture that there will not be."""
    if not options.plot:
        return
    output.check_figure(options.plot)
    if options.trials:
        raise UsageError("is for one run, not for --trials", "plot")
    if options.epochs == 0:
        raise UsageError("there are no epochs to draw", "plot")


def check_log(options: Train) -> None:
    """Refuse a log that there cannot be."""
    if options.log is None:
        return
    if options.trials:
        raise UsageError("is for one run, not for --trials", "log")
    if options.log.exists() and not options.log.is_dir():
        raise UsageError("is not a directory", "log", options.log)
    if not options.log.is_dir():
        output.check_directory(options.log.parent, "log")
    if (options.log / LINES).exists() and not (options.force or options.resume):
        raise UsageError(f"{options.log / LINES} exists; -f begins it anew", "log", options.log)
