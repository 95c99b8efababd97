"""What became of each sample, as JSON lines that an interrupted run goes on from."""

import json
from collections.abc import Iterable
from pathlib import Path

from advtool.errors import AdvtoolError
from advtool.evaluation.cascade import Outcome
from advtool.io.atomic import writing


class PerSampleFile:
    """A file of JSON lines: first what run this is, then an `Outcome` a line.

    A last line that was cut short is dropped and its sample is done again.

    Parameters
    ----------
    run : what identifies the run; a file of another run is refused
    """

    def __init__(self, path: Path, run: dict):
        self._path, self._known = path, {}
        start = json.dumps({"schema": 1, "run": run}, sort_keys=True)
        lines = path.read_bytes().split(b"\n") if path.is_file() else []
        if len(lines) > 1 and lines[0] != start.encode():
            raise AdvtoolError(f"{path}: holds the samples of another run; remove it or name another file")
        whole = lines[1:-1] if len(lines) > 1 else []
        for number, line in enumerate(whole, 2):
            self._remember(line, number)
        with writing(path), open(path, "wb") as file:
            file.write(b"\n".join([start.encode(), *whole]) + b"\n")

    def __len__(self) -> int:
        return len(self._known)

    def known(self, key: str, eps: float) -> Outcome | None:
        """The outcome of a sample that is in the file already."""
        return self._known.get((key, eps))

    def append(self, outcomes: Iterable[Outcome]) -> None:
        """Add outcomes, on disk before this returns."""
        text = "".join(json.dumps(outcome.to_json()) + "\n" for outcome in outcomes)
        with writing(self._path), open(self._path, "a") as file:
            file.write(text)

    def _remember(self, line: bytes, number: int) -> None:
        try:
            outcome = Outcome(**json.loads(line))
        except (ValueError, TypeError):
            raise AdvtoolError(f"{self._path}: line {number} is not the outcome of a sample") from None
        self._known[outcome.key, outcome.eps] = outcome
