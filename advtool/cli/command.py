"""A command of the command line: a dataclass of options, and the function that runs it, imported only then."""

import importlib
import inspect
import sys
from collections.abc import Callable
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Annotated, Any, get_origin

import typer
from typer.core import TyperCommand

from advtool.cli import console, encoding, meant, settings
from advtool.errors import UsageError
from advtool.launchers import processes, rendezvous
from advtool.options import Options, checked, declarations, help_of, panels, spelling, types


class Strict(TyperCommand):
    """A command that refuses what it would not use, or read as something else: an option given twice or taken for a
    value, a word that belongs to none."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        TyperCommand.format_help(encoding.shown_command(self, sys.stdout), ctx, formatter)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        known = meant.spellings(self)
        meant.refuse_one_dash(args, known)
        with meant.in_our_words(self):
            values, rest, order = self.make_parser(ctx).parse_args([*args])
        for given in dict.fromkeys(order):
            option: Any = given
            if order.count(given) > 1 and not (option.multiple or (option.is_flag and not option.secondary_opts)):
                raise UsageError(f"{', '.join([option.opts[-1], *option.secondary_opts])}: given more than once")
            found = values[option.name]
            for value in found if isinstance(found, list) else [found]:
                if value == "":
                    raise UsageError(f"{_named(option)}: must not be empty")
                if isinstance(value, str) and value in known:
                    raise UsageError(f"{option.opts[-1]}: needs a value, and {value} is an option")
        if rest and meant.HELP not in args:
            raise self._stray(rest[0], known, ctx.command_path)
        return super().parse_args(ctx, args)

    def _stray(self, word: str, known: list[str], path: str) -> UsageError:
        for parameter in self.params:
            if parameter.param_type_name == "argument":
                return UsageError(f"unexpected argument '{word}': one SOURCE at a time; '{{a,b}}.tar' or a glob is one")
        return meant.stray(word, known, path)


def _named(parameter: Any) -> str:
    """An option as it is typed, an argument as the help calls it."""
    return parameter.opts[-1] if parameter.param_type_name == "option" else parameter.metavar.strip("[]")


def command(app: typer.Typer, options: type[Options], run: str) -> None:
    """Add a command.

    Parameters
    ----------
    options : its options; their docstring is its help
    run : ``module:function`` that takes them
    """

    def call(ctx: typer.Context, **values: Any) -> None:
        try:
            _run(ctx, values)
        except UsageError as error:
            raise _as_typed(error, options) from error

    def _run(ctx: typer.Context, values: dict[str, Any]) -> None:
        typed = {name: _frozen(value) for name, value in values.items() if value is not None and _is_typed(ctx, name)}
        asked, useless = settings.applied(options, typed, ctx.find_root().command.commands)  # type: ignore[attr-defined]
        console.set_level(getattr(asked, "quiet", False), getattr(asked, "verbose", False))
        _check_processes(options)
        if useless:
            names = ", ".join(spelling(options, name) for name in useless)
            console.say(f"of the configuration without a use beside what is typed, and left out: {names}")
        asked.validate()
        module, _, function = run.partition(":")
        runner = getattr(importlib.import_module(module), function)
        console.interruptible()
        runner(asked)

    context = inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    call.__signature__ = inspect.Signature([context, *_parameters(options)])  # type: ignore[attr-defined]  # unknown to typeshed
    call.__doc__ = options.__doc__
    app.command(options.command.split()[-1], cls=Strict)(call)


def _check_processes(options: type[Options]) -> None:
    """Refuse several processes that would each do everything, or that cannot meet."""
    if (here := processes()).world == 1:
        return
    if not options.shares:
        raise UsageError(f"{here.world} processes were started; several are for train, attack, distill and eval")
    rendezvous()


def _parameters(options: type[Options]) -> list[inspect.Parameter]:
    hints, where = types(options), panels(options)
    defaults = {field.name: None if field.default is MISSING else field.default for field in fields(options)}
    return [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None if defaults[name] == () else defaults[name],
            annotation=_annotation(options, name, hints[name], defaults[name], where.get(name)),
        )
        for name in declarations(options)
    ]


def _annotation(options: type[Options], name: str, kind: Any, default: Any, panel: str | None) -> Any:
    declared = declarations(options)[name]
    shared: dict[str, Any] = {"help": help_of(options, name, default), "rich_help_panel": panel, "show_default": False}
    if not declared.names:
        several = get_origin(kind) is tuple
        return Annotated[
            list[str] | None if several else str | None, typer.Argument(metavar=declared.metavar, **shared)
        ]
    if kind is bool:
        return Annotated[bool if default is not None else bool | None, typer.Option(*declared.names, **shared)]
    shared["metavar"] = declared.metavar or "|".join(declared.choices)
    if get_origin(kind) is tuple and declared.parse is None:
        return Annotated[list[str] | None, typer.Option(*declared.names, **shared)]
    if kind in (str, Path) and declared.parse is None and not declared.choices:
        return Annotated[kind | None, typer.Option(*declared.names, **shared)]
    return Annotated[Any, typer.Option(*declared.names, **shared, parser=_parser(options, name, kind))]


def _parser(options: type[Options], name: str, kind: Any) -> Callable[[Any], Any]:
    declared = declarations(options)[name]

    def parse(given: Any) -> Any:
        try:
            return checked(declared, name, kind, given) if isinstance(given, str) else given
        except UsageError as error:
            raise _as_typed(error, options) from error

    return parse


def _as_typed(error: UsageError, options: type[Options]) -> UsageError:
    """The error with its parameter written as the option that it is."""
    return UsageError(error.describe(error.parameter and spelling(options, error.parameter)))


def _is_typed(ctx: typer.Context, name: str) -> bool:
    source = ctx.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
