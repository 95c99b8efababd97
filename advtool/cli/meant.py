"""What is typed slightly wrong, and what was meant by it."""

import os
import shlex
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer

from advtool.errors import AdvtoolError, UsageError, unknown

HELP = "--help"
_CHECKPOINTS = (".safetensors", ".pt", ".pth", ".ckpt", ".bin")
_OF_CHECKPOINTS = ("--ckpt", "--init", "--predict")


def spellings(command: Any) -> list[str]:
    """Every option of a command or a group, as it may be written."""
    return [HELP, *(name for each in command.params for name in (*each.opts, *each.secondary_opts) if name[:1] == "-")]


def unknown_option(name: str, known: Iterable[str]) -> UsageError:
    """The error for an option that there is not, with the nearest that there are."""
    known = [option for option in known if option.startswith("--")]
    begun = [option for option in known if len(name) > 3 and option.startswith(name)]
    return unknown("option", name, begun or known)


def refuse_one_dash(words: Sequence[str], known: Iterable[str]) -> None:
    """Raise UsageError for a long option with one dash, which would be read as several short ones: -eps."""
    known = set(known)
    for word in words[: words.index("--")] if "--" in words else words:
        option = "-" + word.partition("=")[0]
        if len(word) > 2 and word[0] == "-" and word[1] != "-" and option in known:
            raise UsageError(f"unknown option '{option[1:]}': did you mean {option}?")


def stray(word: str, known: Iterable[str], path: str) -> UsageError:
    """The error for a word that belongs to no option, with the option that it was meant for.

    Parameters
    ----------
    path : of the command: advtool theory gaussian
    """
    if word == "help":
        return UsageError(f"unexpected argument 'help': did you mean {path} {HELP}?")
    known = set(known)
    option = next((option for option in _options_for(word) if option in known), None)
    hint = f"did you mean {option} {shlex.quote(word)}?" if option else f"{path} --help lists the options"
    return UsageError(f"unexpected argument '{word}': {hint}")


@contextmanager
def in_our_words(command: Any) -> Iterator[None]:
    """What the parser says of options that there are not, or that lack their value, is said as everything else is."""
    try:
        yield
    except typer.TyperException as error:
        name = getattr(error, "option_name", None)
        if name is None:
            raise
        if hasattr(error, "possibilities"):
            raise unknown_option(name, spellings(command)) from None
        if "requires" in error.message:
            raise UsageError(f"{name}: needs a value") from None
        raise


def _options_for(word: str) -> tuple[str, ...]:
    """The options that a word may have been meant for."""
    from advtool import norms, registry
    from advtool.data import catalogue

    if word in norms.NORMS:
        return ("--adv", "--norm")
    if word in (*registry.ATTACKS, *registry.AUTOATTACK):
        return ("--attack",)
    if word in catalogue.ENTRIES and not os.path.exists(word):
        return ("--data",)
    if word == "-" or os.path.isdir(word):
        return ("--data",)
    if _is_checkpoint(word):
        return _OF_CHECKPOINTS
    if os.path.exists(word) or any(sign in word for sign in "./*{"):
        return ("--data",)
    return ("--arch",) if _is_architecture(word) else ()


def _is_checkpoint(word: str) -> bool:
    """By what is in the file, or by its name where there is none."""
    from advtool.io import streams

    if not Path(word).is_file():
        return word.endswith(_CHECKPOINTS)
    try:
        with streams.open_path(word) as stream:
            kind = stream.kind
    except AdvtoolError:
        return word.endswith(_CHECKPOINTS)
    return kind == streams.SAFETENSORS or (kind == streams.TORCH and not word.endswith(".npz"))


def _is_architecture(word: str) -> bool:
    from advtool.models.registry import NAMES

    return word in NAMES
