"""What ``advtool completion`` does once its options are read."""

import os
import sys
from pathlib import Path

from advtool.cli.completion import SHELLS, Completion
from advtool.errors import UsageError, unknown


def run(options: Completion) -> None:
    """Print the script as it is."""
    shell = options.shell or Path(os.environ.get("SHELL", "")).name
    if shell not in SHELLS:
        if options.shell is None:
            raise UsageError(f"which shell? advtool completion {'|'.join(SHELLS)}")
        raise unknown("shell", shell, SHELLS)
    sys.stdout.write((_scripts() / SHELLS[shell]).read_text("utf-8"))


def _scripts() -> Path:
    """Where the scripts are: in the wheel, or beside the package in a checkout."""
    package = Path(__file__).resolve().parents[1]
    wheel = package / "_completions"
    return wheel if wheel.is_dir() else package.parent / "completions"
