"""The command line: subcommands, signals, exit codes."""

import signal
import sys
from typing import Any

import typer
from typer.core import TyperGroup

import advtool
from advtool import progress
from advtool.cli import bars, console, encoding, failures, meant, standard
from advtool.errors import AdvtoolError, unknown

INTERRUPTED = 130


class Group(TyperGroup):
    """A group that names the nearest commands when it does not know one, and ends quietly on a broken pipe.

    ``help`` before a command is ``--help`` behind it.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args[:1] == ["help"]:
            args = [*(word for word in args if word != "help"), meant.HELP]
        with meant.in_our_words(self):
            return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            standard.leave()

    def format_help(self, ctx: Any, formatter: Any) -> None:
        TyperGroup.format_help(encoding.shown_command(self, sys.stdout), ctx, formatter)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in self.commands:
            raise unknown("command", args[0], self.commands)
        return super().resolve_command(ctx, args)


app = typer.Typer(
    cls=Group,
    name="advtool",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def _root(version: bool = typer.Option(False, "--version", help="Print the version and stop.")) -> None:
    """Train, attack and evaluate classifiers, in stages that pipe into one another.

    Stages read and write safetensors checkpoints and WebDataset shards. Without --data they use the embedded
    8×8 digits: [bold]advtool train --adv l2 --eps 0.5 | advtool eval --adv l2 --eps 0.25,0.5[/bold]
    """
    if version:
        console.line(advtool.__version__)
        raise typer.Exit()


def _register() -> None:
    from advtool.cli import theory
    from advtool.cli.attack import Attack
    from advtool.cli.certify import Certify
    from advtool.cli.command import command
    from advtool.cli.completion import Completion
    from advtool.cli.data import Data
    from advtool.cli.distill import Distill
    from advtool.cli.evaluate import Evaluate
    from advtool.cli.explain import Explain
    from advtool.cli.export import Export
    from advtool.cli.plot import Plot
    from advtool.cli.presets import Presets
    from advtool.cli.relabel import Relabel
    from advtool.cli.train import Train
    from advtool.cli.transfer import Transfer
    from advtool.cli.verify import Verify

    command(app, Train, "advtool.commands.train:run")
    command(app, Attack, "advtool.commands.attack:run")
    command(app, Distill, "advtool.commands.distill:run")
    command(app, Relabel, "advtool.commands.relabel:run")
    command(app, Evaluate, "advtool.commands.evaluate:run")
    command(app, Explain, "advtool.commands.explain:run")
    command(app, Transfer, "advtool.commands.transfer:run")
    command(app, Certify, "advtool.commands.certify:run")
    command(app, Verify, "advtool.commands.verify:run")
    command(app, Data, "advtool.commands.data:run")
    command(app, Plot, "advtool.commands.plot:run")
    command(app, Export, "advtool.commands.export:run")
    command(app, Completion, "advtool.commands.completion:run")
    command(app, Presets, "advtool.commands.presets:run")
    theory.register(app, Group)


_register()


def main() -> None:
    """Run the command line and exit with its status."""
    encoding.install()
    standard.install()
    console.install_warnings()
    progress.watch(bars.bar)
    sys.excepthook = console.show_bug
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # as nohup has it
            signal.signal(number, _end)
    try:
        status = _run()
    except KeyboardInterrupt:
        status = INTERRUPTED
    sys.exit(status)


def _end(number: int, _: object) -> None:
    """End as after an error, so that nothing is left behind; the same signal again does not disturb that."""
    signal.signal(number, signal.SIG_IGN)
    sys.exit(128 + number)


def _run() -> int:
    try:
        with bars.taken_away():
            result = app(prog_name="advtool", standalone_mode=False)
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except AdvtoolError as error:
        console.trace()
        console.error(str(error))
        return error.exit_code
    except typer.TyperException as error:
        if text := error.format_message():
            console.error(text)
        return error.exit_code
    except (OSError, MemoryError, RuntimeError) as error:
        if (line := failures.line(error)) is None:
            raise
        console.trace()
        console.error(line)
        return 1
