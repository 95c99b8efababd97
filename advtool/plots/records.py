"""Reports as they are read: lines of JSON, or what a checkpoint says of its training."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from advtool import bounds
from advtool.errors import AdvtoolError
from advtool.io import checkpoints, streams


def read(names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The reports of files, or of stdin: one JSON object a line, or one in all; of a checkpoint, its metadata.

    Of a checkpoint that is ``{"checkpoint": {"path": …}, …}`` with all that was recorded when it was trained, such as
    ``history``.

    Parameters
    ----------
    names : of files; ``-`` for stdin

    Raises
    ------
    AdvtoolError
        naming file and line of what is no report
    """
    for name in names:
        with streams.stdin() if name == "-" else streams.open_path(name) as stream:
            if stream.kind == streams.SAFETENSORS:
                yield {"checkpoint": {"path": name}, **checkpoints.read(stream).meta}
            else:
                yield from parsed(stream.read_all(bounds.TEXT_BYTES), name)


def parsed(data: bytes, name: str) -> Iterator[dict[str, Any]]:
    """The objects in JSON lines, or the one that is spread over several lines."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise AdvtoolError(f"{name}: neither lines of JSON nor a checkpoint") from None
    try:
        whole = json.loads(text)
        rows = [(1, whole)] if isinstance(whole, dict) else [(1, row) for row in whole]
    except (ValueError, TypeError, RecursionError):
        rows = [(number, _line(line, f"{name}, line {number}")) for number, line in _lines(text)]
    if not rows:
        raise AdvtoolError(f"{name}: empty, expected reports as lines of JSON")
    for number, row in rows:
        if not isinstance(row, dict):
            raise AdvtoolError(f"{name}, line {number}: no JSON object")
        yield row


def _lines(text: str) -> Iterator[tuple[int, str]]:
    return ((number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip())


def _line(line: str, where: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise AdvtoolError(f"{where}: no JSON ({error})") from None
