"""Write the completion scripts of bash, zsh and fish from the command line's own definition.

``python completions/generate.py [OUT_DIR]``. They are static, so completing costs no Python start.
"""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import typer.main

from advtool.cli.attack import Attack
from advtool.cli.certify import Certify
from advtool.cli.completion import SHELLS, Completion
from advtool.cli.data import Data
from advtool.cli.distill import Distill
from advtool.cli.evaluate import Evaluate
from advtool.cli.explain import Explain
from advtool.cli.export import Export
from advtool.cli.main import app
from advtool.cli.plot import Plot
from advtool.cli.presets import Presets
from advtool.cli.relabel import Relabel
from advtool.cli.settings import for_command, presets
from advtool.cli.theory import MODELS
from advtool.cli.train import Train
from advtool.cli.transfer import Transfer
from advtool.cli.verify import Verify
from advtool.data.catalogue import ENTRIES
from advtool.datasets import groupings
from advtool.models import registry
from advtool.options import Options, declarations, types

KINDS = (
    Train,
    Attack,
    Distill,
    Relabel,
    Evaluate,
    Certify,
    Explain,
    Data,
    Plot,
    Transfer,
    Verify,
    Presets,
    Completion,
    Export,
    *MODELS.values(),
)
OR_FILES = ("--data", "--eval-data", "--source", "--map", "--config", "SOURCE")
"""Options and arguments whose value is a name, or a file just as well."""

DEVICES = ("auto", "cpu", "cuda", "mps")

LISTED = ("attack", "method", "adv")
"""Fields whose names all stand in a table of the command."""


@dataclass(frozen=True)
class Flag:
    """An option: its spellings, whether it takes a value, the choices for the value, and its help."""

    names: tuple[str, ...]
    takes_value: bool
    choices: tuple[str, ...]
    help: str

    @property
    def or_file(self) -> bool:
        """Whether the value may be a file beside the choices."""
        return not {*OR_FILES}.isdisjoint(self.names)


@dataclass(frozen=True)
class Command:
    """A command by its words, such as ``theory gaussian``; a group of commands has `children` and no flags."""

    words: tuple[str, ...]
    help: str
    flags: tuple[Flag, ...]
    children: tuple["Command", ...] = ()
    argument: Flag | None = None

    @property
    def name(self) -> str:
        return " ".join(self.words)


def commands() -> list[Command]:
    return list(_commands(typer.main.get_command(app), ()))


def _commands(group, above: tuple[str, ...]) -> Iterator[Command]:
    kinds = {kind.command: kind for kind in KINDS}
    for name, command in sorted(group.commands.items()):
        words = (*above, name)
        children = tuple(_commands(command, words)) if hasattr(command, "commands") else ()
        flags = () if children else tuple(_flags(kinds[" ".join(words)]))
        argument = None if children else next(_arguments(kinds[" ".join(words)]), None)
        yield Command(words, _first_sentence(command.help), flags, children, argument)


def _leaves(all_commands: list[Command]) -> list[Command]:
    """The commands that are not groups."""
    return [leaf for command in all_commands for leaf in (command.children or (command,))]


def _groups(all_commands: list[Command]) -> list[Command]:
    return [command for command in all_commands if command.children]


def _flags(kind: type[Options]) -> Iterator[Flag]:
    for name, declared in declarations(kind).items():
        if not declared.names:
            continue
        names = tuple(part for spelled in declared.names for part in spelled.split("/"))
        choices = tuple(_choices(kind, name))
        yield Flag(names, types(kind)[name] is not bool, choices, _first_sentence(declared.help) + _takers(kind, name))
    yield Flag(("-h", "--help"), False, (), "Show this message and exit")


def _arguments(kind: type[Options]) -> Iterator[Flag]:
    """The argument of a command as a flag without a spelling, if it has one whose values are known."""
    known = {
        Data: ("SOURCE", tuple(ENTRIES)),
        Presets: ("NAME", tuple(presets())),
        Completion: ("SHELL", tuple(SHELLS)),
    }
    if kind in known:
        name, choices = known[kind]
        yield Flag((name,), True, choices, "")


def _choices(kind: type[Options], name: str) -> Iterable[str]:
    """What can stand for the value of an option, as far as it is known."""
    declared = declarations(kind)[name]
    known = {
        **dict.fromkeys(("--data", "--eval-data", "--source"), ENTRIES),
        "--arch": registry.NAMES,
        "--device": DEVICES,
        "--map": tuple(groupings.BUILT_IN),
        "--preset": [preset for preset in presets() if for_command(preset, kind.command)],
    }
    if declared.spelling in known:
        return known[declared.spelling]
    if name in LISTED and any(table.by == name for table in kind.tables):
        return next(table.takes for table in kind.tables if table.by == name)
    metavar = declared.metavar or ""
    return declared.choices or (metavar.split("|") if "|" in metavar and metavar.islower() else ())


def _takers(kind: type[Options], name: str) -> str:
    """Which choices an option is for, in brackets; empty if it is for all."""
    partly = [table for table in kind.tables if 0 < len(table.takers(name)) < len(table.takes)]
    words = (
        f"needs --{table.by}" if {*table.takes} - {*table.takers(name)} == {"none"} else ", ".join(table.takers(name))
        for table in partly
    )
    return "".join(f" ({word})" for word in words)


def _first_sentence(text: str | None) -> str:
    line = " ".join((text or "").split())
    return line.split(". ")[0].rstrip(".")


def bash(all_commands: list[Command]) -> str:
    cases, values, arguments, groups = [], [], [], []
    for group in _groups(all_commands):
        children = " ".join(child.words[-1] for child in group.children)
        groups.append(f'''    {group.name})
      if [ "$COMP_CWORD" -eq 2 ]; then COMPREPLY=($(compgen -W "{children} --help" -- "$word")); return; fi
      command="$command ${{COMP_WORDS[2]}}" ;;''')
    for command in _leaves(all_commands):
        words = " ".join(name for flag in command.flags for name in flag.names)
        cases.append(f'    "{command.name}") words="{words}" ;;')
        for flag in command.flags:
            if flag.choices:
                pattern = "|".join(f'"{command.name}:{name}"' for name in flag.names)
                files = "-f " if flag.or_file else ""
                values.append(
                    f'    {pattern}) COMPREPLY=($(compgen {files}-W "{" ".join(flag.choices)}" -- "$word")); return ;;'
                )
        if argument := command.argument:
            files = "-f " if argument.or_file else ""
            generated = f'compgen {files}-W "{" ".join(argument.choices)}" -- "$word"'
            arguments.append(f'    "{command.name}") COMPREPLY=($({generated})); return ;;')
    names = " ".join(command.name for command in all_commands)
    return f"""# bash completion for advtool; generated by completions/generate.py
_advtool() {{
  local word="${{COMP_WORDS[COMP_CWORD]}}" previous="${{COMP_WORDS[COMP_CWORD-1]}}" words command="${{COMP_WORDS[1]}}"
  if [ "$word" = "=" ]; then  # --option=VALUE is three words
    word=""
  elif [ "$previous" = "=" ]; then
    previous="${{COMP_WORDS[COMP_CWORD-2]}}"
  fi
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "{names} --help --version" -- "$word"))
    return
  fi
  case "$command" in
{chr(10).join(groups)}
  esac
  case "$command:$previous" in
{chr(10).join(values)}
  esac
  case "$command" in
{chr(10).join(cases)}
    *) return ;;
  esac
  if [[ "$word" == -* ]]; then
    COMPREPLY=($(compgen -W "$words" -- "$word"))
    return
  fi
  case "$command" in
{chr(10).join(arguments)}
  esac
  COMPREPLY=($(compgen -f -- "$word"))
}}
complete -o filenames -F _advtool advtool
"""


def zsh(all_commands: list[Command]) -> str:
    described = _described(all_commands)
    groups = []
    for group in _groups(all_commands):
        groups.append(f"""    {group.name})
      local -a children=(
{_described(group.children)}
      )
      if (( CURRENT == 2 )); then
        _describe command children
        return
      fi
      command="$command $words[2]"
      shift words
      (( CURRENT-- )) ;;""")
    cases = []
    for command in _leaves(all_commands):
        lines = []
        for flag in command.flags:
            value = _zsh_value(flag)
            excluded = " ".join(flag.names)
            for name in flag.names:
                sign = "=" if flag.takes_value and name.startswith("--") else ""
                lines.append(f"        '({excluded}){name}{sign}[{_quoted(flag.help)}]{value}'")
        body = " \\\n".join(lines)
        argument = f"*{_zsh_value(command.argument)}" if command.argument else "*:file:_files"
        cases.append(f"      '{command.name}')\n      _arguments \\\n{body} \\\n        '{argument}' ;;")
    return f"""#compdef advtool
# zsh completion for advtool; generated by completions/generate.py
_advtool() {{
  local -a commands=(
{described}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT-- ))
  case $command in
{chr(10).join(groups)}
  esac
  case $command in
{chr(10).join(cases)}
  esac
}}
_advtool "$@"
"""


def _zsh_value(flag: Flag) -> str:
    if flag.or_file:
        names = f"compadd -- {' '.join(flag.choices)}; " if flag.choices else ""
        return f":value:{{ {names}_files }}"
    return f":value:({' '.join(flag.choices)})" if flag.choices else ":value:_files" if flag.takes_value else ""


def _described(all_commands) -> str:
    return "\n".join(f"    '{command.words[-1]}:{_quoted(command.help)}'" for command in all_commands)


def fish(all_commands: list[Command]) -> str:
    lines = ["# fish completion for advtool; generated by completions/generate.py"]
    lines += _fish_commands(all_commands, "")
    for group in _groups(all_commands):
        lines += _fish_commands(group.children, f"{_seen(group.name)}; and ")
    return "\n".join(lines) + "\n"


def _fish_commands(siblings, above: str) -> list[str]:
    lines = []
    names = " ".join(command.words[-1] for command in siblings)
    for command in siblings:
        name = command.words[-1]
        when = f"complete -c advtool -n '{above}not {_seen(names)}'"
        lines.append(f"{when} -f -a {name} -d '{_quoted(command.help)}'")
        if argument := command.argument:
            files = "" if argument.or_file else " -f"
            lines.append(f"complete -c advtool -n '{above}{_seen(name)}'{files} -a '{' '.join(argument.choices)}'")
        for flag in command.flags if not command.children else ():
            spellings = " ".join(f"-l {n[2:]}" if n.startswith("--") else f"-s {n[1:]}" for n in flag.names)
            value = (" -r" if flag.or_file else " -x") if flag.choices else " -r" if flag.takes_value else ""
            value += f" -a '{' '.join(flag.choices)}'" if flag.choices else ""
            when = f"complete -c advtool -n '{above}{_seen(name)}'"
            lines.append(f"{when} {spellings}{value} -d '{_quoted(flag.help)}'")
    return lines


def _seen(names: str) -> str:
    return f"__fish_seen_subcommand_from {names}"


def _quoted(text: str) -> str:
    """Text for inside single quotes, square brackets and colons of any of the three shells."""
    for char, substitute in (("'", "’"), ("[", "("), ("]", ")"), (":", " -")):
        text = text.replace(char, substitute)
    return text


FILES = {"advtool.bash": bash, "_advtool": zsh, "advtool.fish": fish}


def main(directory: Path) -> None:
    found = commands()
    for name, write in FILES.items():
        (directory / name).write_text(write(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
