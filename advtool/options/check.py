"""From the text of an option to its value, within its bounds."""

import math
from typing import Any

from advtool.errors import UsageError, unknown
from advtool.options.declaration import Option
from advtool.values import fraction, integer, text


def checked(declared: Option, name: str, kind: type, given: str) -> Any:
    """The value that a text stands for.

    Raises
    ------
    UsageError
        naming the option, if it stands for none
    """
    try:
        value = (declared.parse or {int: integer, float: fraction}.get(kind, kind))(given)
    except UsageError as error:
        raise error if error.parameter else UsageError(error.message, name, error.value) from None
    check_value(declared, name, value)
    return value


def check_value(declared: Option, name: str, value: Any) -> None:
    """Raise UsageError for a value that is none of the choices, or out of bounds."""
    if declared.choices and value not in declared.choices:
        raise unknown(declared.spelling, value, declared.choices)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return
    least = 0 if declared.parse is None and isinstance(value, float) and declared.minimum is None else declared.minimum
    for broken, words in (
        (math.isnan(value) or (declared.parse is None and math.isinf(value)), "finite"),
        (least is not None and value < least, f"at least {least:g}" if least is not None else ""),
        (declared.maximum is not None and value > declared.maximum, f"at most {declared.maximum}"),
        (declared.above is not None and value <= declared.above, f"above {declared.above}"),
        (declared.below is not None and value >= declared.below, f"below {declared.below}"),
    ):
        if broken:
            raise UsageError(f"must be {words}", name, text(value))
