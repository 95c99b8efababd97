"""How far a long stage has come, told to whoever asked for it; from Python nobody has, unless `watch` is called."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Advance(Protocol):
    """What a stage calls on its way."""

    def __call__(self, count: int, total: int | None = None) -> None:
        """So many more images are done, of so many in all where that is known better by now."""


Watcher = Callable[[str, int | None], AbstractContextManager[Advance]]

_watchers: list[Watcher] = []


def watch(watcher: Watcher) -> None:
    """From now on stages are told to `watcher`, a context manager of what they are and how many images they have."""
    _watchers[:] = [watcher]


@contextmanager
def stage(description: str, total: int | None) -> Iterator[Advance]:
    """A stage that may take long.

    Parameters
    ----------
    total : number of images, None where it is not known
    """
    if not _watchers:
        yield _unseen
        return
    with _watchers[0](description, total) as advance:
        yield advance


def _unseen(count: int, total: int | None = None) -> None:
    pass
