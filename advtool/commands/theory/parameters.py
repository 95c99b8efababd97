"""From the options of a model to the settings that it is computed for."""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from advtool.cli.theory.groups import Theory
from advtool.cli.theory.values import MOST, SWEEPS
from advtool.errors import UsageError
from advtool.options import declarations


@dataclass(frozen=True)
class Parameters:
    """Of a model's report, by name: those that take several values in turn, and the others."""

    swept: dict[str, tuple[float, ...]]
    fixed: dict[str, Any]

    @property
    def several(self) -> list[str]:
        """What really varies."""
        return [name for name, values in self.swept.items() if len(values) > 1]

    def settings(self) -> Iterator[dict[str, Any]]:
        """Every combination of the swept values, with the fixed ones."""
        count = math.prod(map(len, self.swept.values()))
        if count > MOST:
            raise UsageError(f"the sweeps combine to {count:,} settings; {MOST:,} is the limit")
        for combination in itertools.product(*self.swept.values()):
            yield {**dict(zip(self.swept, combination, strict=True)), **self.fixed}


def parameters(options: Theory, **renamed: str | None) -> Parameters:
    """What the options of a model say; those that are None are left to the defaults of its report.

    Parameters
    ----------
    renamed : option → parameter, where their names differ; None for an option that is not a parameter of the report
    """
    found = Parameters({}, {})
    for name, declared in declarations(type(options)).items():
        value, parameter = getattr(options, name), renamed.get(name, name)
        if name not in declarations(Theory) and value is not None and parameter is not None:
            kind = found.swept if declared.parse in SWEEPS else found.fixed
            kind[parameter] = value
    return found
