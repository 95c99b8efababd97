"""Standard descriptors that whoever started the process has closed.

The next file that is opened would get the number of such a descriptor, and messages, say, would be written into it.
"""

import os
import sys

closed: set[int] = set()
"""The numbers that were."""


def fill() -> None:
    """Put the null device in the place of each that is closed, before anything is opened.

    Nothing can be written to a stdout that was closed: what has to go there is an error. Messages are lost.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            flags = os.O_WRONLY if number == 2 else os.O_RDONLY
            handle = os.open(os.devnull, flags)  # the lowest number that is free, which is this one
            os.set_inheritable(handle, True)
            closed.add(number)
            if number == 0:
                sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115, for good
            elif number == 1:
                sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
            else:
                sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
