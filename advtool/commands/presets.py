"""What ``advtool presets`` does once its options are read."""

import json
from typing import Any

from advtool.cli import console, output
from advtool.cli.presets import Presets
from advtool.cli.settings import ABOUT, presets
from advtool.errors import unknown


def run(options: Presets) -> None:
    """List the presets, or print one."""
    known = presets()
    if options.name is None:
        return _list(known, options.json)
    if options.name not in known:
        raise unknown("preset", options.name, known)
    content = known[options.name]
    if options.json:
        output.print_json({"schema": 1, "command": "presets", "presets": {options.name: content}})
        return
    console.line(f"# {options.name}: {content[ABOUT]}")
    for command, settings in content.items():
        if command != ABOUT:
            console.line(f"[{command}]")
            for name, value in settings.items():
                console.line(
                    f"{name} = {json.dumps(value)}"
                )  # as in TOML, for texts, numbers, truths and lists of them


def _list(known: dict[str, dict[str, Any]], as_json: bool) -> None:
    if output.wants_json(as_json):
        output.print_json({"schema": 1, "command": "presets", "presets": known})
        return
    rows = [[name, " ".join(key for key in content if key != ABOUT), content[ABOUT]] for name, content in known.items()]
    console.show_table("presets", ["name", "for", "what"], rows)
