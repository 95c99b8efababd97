"""Options: each is declared once, as a field of a dataclass.

From the declaration come the command line, its help and completions, what is refused, and what is recorded. Groups of
options are dataclasses that commands inherit from; a group with a `panel` is a section of ``--help``.
"""

from advtool.options.check import check_value, checked
from advtool.options.declaration import Option, declarations, excluding, option, panels, spelling, types
from advtool.options.group import Options
from advtool.options.help import help_of
from advtool.options.table import Table

__all__ = [
    "Option",
    "Options",
    "Table",
    "check_value",
    "checked",
    "declarations",
    "excluding",
    "help_of",
    "option",
    "panels",
    "spelling",
    "types",
]
