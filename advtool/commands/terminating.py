"""What a signal to end does while a run trains."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from advtool.training.within import Stop


@contextmanager
def terminating(has_state: bool) -> Iterator[Stop]:
    """Have SIGTERM stop the run once its state is saved, after the batch that it is at; a second one ends it at once.

    Where the run is not within an epoch, or has no file for its state, the first ends it: the last state is there.
    """
    stop = Stop()
    before = signal.getsignal(signal.SIGTERM)
    if not has_state or before in (signal.SIG_IGN, None):
        yield stop
        return

    def note(number: int, _: object) -> None:
        if stop.heeded and not stop.asked:
            stop.asked = True
            return
        signal.signal(number, signal.SIG_IGN)
        sys.exit(128 + number)

    signal.signal(signal.SIGTERM, note)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGTERM, before)
