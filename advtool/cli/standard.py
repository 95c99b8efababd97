"""Standard streams that may fail: stdout in one line, stderr without a word."""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from advtool.cli import descriptors
from advtool.errors import AdvtoolError

BROKEN_PIPE = 141


class Output(io.TextIOWrapper):
    """Standard output. What cannot be written is an error; a reader that has left ends the process quietly."""

    def write(self, text: str, /) -> int:
        with _failing():
            return super().write(text)

    def flush(self) -> None:
        with _failing():
            super().flush()


class Messages(io.TextIOWrapper):
    """Standard error. Messages that nobody can read are lost, and the work goes on."""

    def write(self, text: str, /) -> int:
        try:
            return super().write(text)
        except OSError:
            silence(2)
            return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError:
            silence(2)


def install() -> None:
    """Put them in the place of those that Python opened."""
    sys.stdout, sys.stderr = _as(Output, sys.stdout), _as(Messages, sys.stderr)


def check_stdout() -> None:
    """Refuse a stdout that was closed, before work is done of which nothing could be shown."""
    if 1 in descriptors.closed:
        raise _unwritable("it is closed")


def silence(number: int) -> None:
    """Have a descriptor lead nowhere, so that the interpreter does not complain when it flushes the stream at exit."""
    handle = os.open(os.devnull, os.O_WRONLY)
    os.dup2(handle, number)
    os.close(handle)


def leave() -> NoReturn:
    """End quietly: whoever read stdout has left."""
    silence(1)
    sys.exit(BROKEN_PIPE)


@contextmanager
def _failing() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        leave()
    except OSError as error:
        silence(1)
        check_stdout()
        raise _unwritable(error.strerror) from error


def _unwritable(reason: str | None) -> AdvtoolError:
    return AdvtoolError(f"stdout: cannot write ({reason})")


def _as(kind: type[io.TextIOWrapper], stream: object) -> io.TextIOWrapper:
    if not isinstance(stream, io.TextIOWrapper) or isinstance(stream, (Output, Messages)):
        return stream  # type: ignore[return-value]  # a test's own
    line, through, encoding, errors = stream.line_buffering, stream.write_through, stream.encoding, stream.errors
    return kind(stream.detach(), encoding, errors, line_buffering=line, write_through=through)
