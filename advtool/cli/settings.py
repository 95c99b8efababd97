"""Options out of a file or a preset: they stand where none is typed."""

import json
import tomllib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, ClassVar, get_origin

from advtool import bounds
from advtool.errors import AdvtoolError, UsageError, unknown
from advtool.options import Options, checked, declarations, option, spelling, types
from advtool.values import listed

ABOUT = "about"
NOT_HERE = ("config", "preset")


@dataclass(frozen=True, kw_only=True)
class Configured(Options):
    """Where options come from that are not typed."""

    panel: ClassVar[str] = "Configuration"

    config: str | None = option(
        "--config",
        metavar="FILE",
        help="Take options from this file, as --dry-run prints them (JSON) or as TOML; those that are typed come after"
        " them.",
        unset="none",
        recorded=False,
    )


@dataclass(frozen=True, kw_only=True)
class Preset(Options):
    """The settings of a paper."""

    panel: ClassVar[str] = "Configuration"

    preset: str | None = option(
        "--preset",
        metavar="NAME",
        help="Take the settings of a paper, see 'advtool presets'; a --config and what is typed come after them.",
        unset="none",
        recorded=False,
    )


@dataclass(frozen=True)
class Settings:
    """Options by field, and which of them count as given by the user."""

    values: Mapping[str, Any]
    given: frozenset[str]


def applied(kind: type[Options], typed: Mapping[str, Any], commands: Collection[str]) -> tuple[Options, list[str]]:
    """The options of a command: those of its preset, then those of its file, then those that are typed.

    Parameters
    ----------
    typed : by field
    commands : the commands that there are

    Returns
    -------
    The options, and the names of those left out since what comes after them leaves them without a use.

    Raises
    ------
    UsageError
        naming the file or the preset, for what is no option of the command
    """
    values: dict[str, Any] = {}
    given: frozenset[str] = frozenset()
    if name := typed.get("preset"):
        found = _preset(kind, name)
        values, given = {**found.values}, found.given
    if path := typed.get("config"):
        found = _file(kind, path, commands)
        values, given = {**values, **found.values}, given | found.given
    merged = kind(**{**values, **typed}, given=given | {*typed})
    if not values:
        return merged, []
    before = kind(**values, given=given)
    useless = [name for name in values if name not in typed and before.uses(name) and not merged.uses(name)]
    kept = {name: value for name, value in values.items() if name not in useless}
    return kind(**{**kept, **typed}, given=(given | {*typed}) - {*useless}), useless


@cache
def presets() -> dict[str, dict[str, Any]]:
    """What `presets.toml` says, by name."""
    return tomllib.loads(resources.files("advtool.cli").joinpath("presets.toml").read_text("utf-8"))


def for_command(name: str, command: str) -> dict[str, Any] | None:
    """The options of a preset for a command; None where it has none."""
    return presets()[name].get(command)


def _preset(kind: type[Options], name: str) -> Settings:
    if name not in presets():
        raise unknown("preset", name, presets(), parameter="preset")
    content = for_command(name, kind.command)
    if content is None:
        commands = listed([command for command in presets()[name] if command != ABOUT])
        raise UsageError(f"is for {commands}", "preset", name)
    return _settings(kind, content, f"preset {name}")


def _file(kind: type[Options], path: str, commands: Collection[str]) -> Settings:
    """The options of a file: of a dry run, or of TOML with a table for each command, or with none."""
    content = _content(path)
    if isinstance(content.get("options"), dict):
        made = content.get("command", kind.command)
        if made != kind.command:
            raise UsageError(f"{path}: a configuration of {made}, not of {kind.command}", "config")
        given = content.get("given")
        return _settings(kind, content["options"], path, given if isinstance(given, list) else None)
    tables = {name: value for name, value in content.items() if isinstance(value, dict)}
    for name in tables:
        if name not in commands:
            raise UsageError(f"{path}: {unknown('command', name, commands)}", "config")
    own: Any = tables
    for word in kind.command.split():
        own = own.get(word, {}) if isinstance(own, dict) else {}
    flat = {name: value for name, value in content.items() if name not in tables}
    return _settings(kind, {**flat, **(own if isinstance(own, dict) else {})}, path)


def _content(path: str) -> dict[str, Any]:
    from advtool.io import regular

    text = regular.read_text(path, bounds.JSON_BYTES)
    try:
        content = json.loads(text) if text.lstrip().startswith("{") else tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        kind = "JSON" if text.lstrip().startswith("{") else "TOML"
        raise AdvtoolError(f"{path}: cannot be read as {kind} ({error})") from None
    return content


def _settings(kind: type[Options], content: Mapping[str, Any], where: str, given: list | None = None) -> Settings:
    fields, values = dict(_names(kind)), {}
    for name, value in content.items():
        if name not in fields:
            shown = [spelling(kind, field)[2:] for field in declarations(kind) if field not in NOT_HERE]
            raise UsageError(f"{where}: {unknown('option', name, shown)}")
        if value is None or value == []:  # in a dry run: without a use, or none of several
            continue
        try:
            values[fields[name]] = _value(kind, fields[name], value)
        except UsageError as error:
            described = error.describe(error.parameter and spelling(kind, error.parameter))
            raise UsageError(f"{where}: {described}") from None
    return Settings(values, frozenset(values if given is None else [name for name in given if name in values]))


def _names(kind: type[Options]) -> Iterator[tuple[str, str]]:
    """(name in a file, field): as the field is called, and as the option is spelled, with dashes or underscores."""
    for field, declared in declarations(kind).items():
        if field in NOT_HERE:
            continue
        spelled = declared.spelling.partition("/")[0].lstrip("-")
        for name in {field, spelled, spelled.replace("-", "_")} - {""}:
            yield name, field


def _value(kind: type[Options], name: str, value: Any) -> Any:
    """A value of a file as that of an option, read as if it had been typed."""
    declared, wanted = declarations(kind)[name], types(kind)[name]
    several = get_origin(wanted) is tuple and declared.parse is None
    parts = value if isinstance(value, list) else [value]
    if any(not isinstance(part, str | int | float) or isinstance(part, bool) != (wanted is bool) for part in parts):
        raise UsageError("must be true or false" if wanted is bool else "must be text or a number", name, value)
    if wanted is bool:
        if isinstance(value, list):
            raise UsageError("must be true or false", name, value)
        return value
    texts = [str(part) for part in parts]
    if "" in texts:
        raise UsageError("must not be empty", name)
    if several:
        return tuple(texts)
    return checked(declared, name, wanted, ",".join(texts))
