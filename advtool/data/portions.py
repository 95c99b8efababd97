"""Which rows of a batch are whose, where several processes share it."""

from advtool.launchers import Processes

FEWEST = 2
"""Rows of a batch that a process has at least: BatchNorm cannot train on one image."""


def is_whole(rows: int, world: int) -> bool:
    """Whether every process goes through all of a batch of so many rows, since there are too few to share."""
    return world == 1 or rows < FEWEST * world


def portion(rows: int, here: Processes) -> slice:
    """The rows of a batch of so many that are this process's; parts differ by one row at most, longer ones first."""
    if is_whole(rows, here.world):
        return slice(0, rows)
    part, longer = divmod(rows, here.world)
    first = here.rank * part + min(here.rank, longer)
    return slice(first, first + part + (here.rank < longer))
