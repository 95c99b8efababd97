"""The help of an option, made of its declaration."""

from typing import Any

from advtool.options.declaration import declarations, excluding, spelled
from advtool.options.group import Options
from advtool.values import text


def help_of(kind: type[Options], name: str, default: Any) -> str:
    """The help of an option: what it is, who takes it, and its default."""
    declared = declarations(kind)[name]
    parts = [declared.help]
    for table in kind.tables:
        takers = table.takers(name)
        missing = [entry for entry in table.takes if entry not in takers]
        if takers and missing:
            parts.append(f"Needs --{table.by}." if missing == ["none"] else f"For {table.words(name)}.")
    if declared.needed:
        parts.append(f"Needs {spelled(kind, declared.needed)}.")
    if beside := excluding(kind, name):
        parts.append(f"Not with {spelled(kind, beside)}.")
    if declared.unset or default is not None:
        parts.append(f"Default: {declared.unset or _shown(default)}.")
    return " ".join(parts)


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return text(value)
