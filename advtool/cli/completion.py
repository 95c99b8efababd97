"""``advtool completion``: the script that completes commands in a shell."""

from dataclasses import dataclass
from typing import ClassVar

from advtool.options import Options, option

SHELLS = {"bash": "advtool.bash", "zsh": "_advtool", "fish": "advtool.fish"}
"""Shell → the name of its script, which is the one that the shell looks for."""


@dataclass(frozen=True, kw_only=True)
class Completion(Options):
    """Print the script that completes commands, options and names in a shell.

    Put it where the shell looks: advtool completion bash > ~/.local/share/bash-completion/completions/advtool
    """

    panel: ClassVar[str] = "Shell"
    command = "completion"

    shell: str | None = option(metavar="[bash|zsh|fish]", help="Whose script.", unset="that of $SHELL")
