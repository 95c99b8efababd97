"""The state of a training run after an epoch: all that is needed to go on as if nothing had happened."""

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from advtool.errors import AdvtoolError
from advtool.io import checkpoints, streams
from advtool.io.atomic import whole_file
from advtool.io.checkpoints import CheckpointFile
from advtool.models.classifier import Classifier

_MODEL, _OPTIMIZER = "model/", "optimizer/"


@dataclass(frozen=True)
class State:
    """Weights, optimiser moments, and a record of each epoch that is done."""

    model: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    history: tuple[dict, ...]

    @classmethod
    def of(cls, model: Classifier, optimizer: torch.optim.Optimizer, history: Sequence[dict]) -> "State":
        """A snapshot that later steps do not change."""
        moments = {
            f"{index}/{name}": value.detach().clone()
            for index, entries in optimizer.state_dict()["state"].items()
            for name, value in entries.items()
            if isinstance(value, Tensor)
        }
        weights = {name: value.detach().clone() for name, value in model.net.state_dict().items()}
        return cls(weights, moments, tuple(history))

    def restore(self, model: Classifier, optimizer: torch.optim.Optimizer) -> None:
        """Put the weights and moments back."""
        model.net.load_state_dict(self.model)
        entries: dict[int, dict[str, Tensor]] = {}
        for key, value in self.optimizer.items():
            index, name = key.split("/", 1)
            entries.setdefault(int(index), {})[name] = value
        optimizer.load_state_dict({"state": entries, "param_groups": optimizer.state_dict()["param_groups"]})

    def to_bytes(self, run: dict) -> bytes:
        """Serialise together with `run`, which says what run this is the state of."""
        tensors = {_MODEL + name: value for name, value in self.model.items()}
        tensors |= {_OPTIMIZER + name: value for name, value in self.optimizer.items()}
        return checkpoints.to_bytes(tensors, {"state": True, "run": run, "history": list(self.history)})

    @classmethod
    def from_file(cls, file: CheckpointFile, run: dict) -> "State":
        """Read back; the state must be of the same run.

        Raises
        ------
        AdvtoolError
            naming the first setting that differs
        """
        if not file.meta.get("state"):
            raise AdvtoolError(f"{file.path}: not the state of a training run")
        _same(file.meta["run"], run, file.path)
        parts = (
            {name.removeprefix(prefix): value for name, value in file.tensors.items() if name.startswith(prefix)}
            for prefix in (_MODEL, _OPTIMIZER)
        )
        return cls(*parts, tuple(file.meta["history"]))


class StateFile:
    """``OUT.state``, beside the output while a run is under way; does nothing if the output is no file.

    Parameters
    ----------
    run : what identifies the run; a state is taken up only by the same run
    """

    def __init__(self, out: Path | None, run: dict):
        self.path = Path(f"{os.path.realpath(out)}.state") if out else None
        self._run = json.loads(json.dumps(run))

    def read(self) -> State | None:
        """The state, or None if there is none."""
        if not (self.path and self.path.exists()):
            return None
        return State.from_file(checkpoints.read(streams.open_path(self.path)), self._run)

    def write(self, state: State) -> None:
        if self.path:
            with whole_file(self.path) as file:
                file.write(state.to_bytes(self._run))

    def remove(self) -> None:
        if self.path:
            with suppress(FileNotFoundError):
                self.path.unlink()


def _same(before: dict, now: dict, path: str, prefix: str = "") -> None:
    for name in sorted(before.keys() | now.keys()):
        old, new = before.get(name), now.get(name)
        if isinstance(old, dict) and isinstance(new, dict):
            _same(old, new, path, f"{prefix}{name}.")
        elif old != new:
            raise AdvtoolError(f"{path}: was made with {prefix}{name} {old}, not {new}; resume with the same options")
