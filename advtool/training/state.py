"""The state of a training run after an epoch: all that is needed to go on as if nothing had happened."""

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from advtool.errors import AdvtoolError
from advtool.io import checkpoints, regular, streams
from advtool.io.atomic import whole_file
from advtool.io.checkpoints import CheckpointFile
from advtool.io.temporary import stem, sweep
from advtool.models.classifier import Classifier

PARTS = ("model", "optimizer", "objective", "average", "kept")


@dataclass(frozen=True)
class State:
    """Everything that a run goes on from, and a record of each epoch that is done.

    Attributes
    ----------
    parts : a dict of tensors for each of `PARTS`: the weights, the optimiser's moments, what the objective carries
        from batch to batch, the weights' moving average, and the weights that are kept, if those are not the model's
    name : of the file that it was read from
    """

    parts: dict[str, dict[str, Tensor]]
    history: tuple[dict, ...]
    name: str = "state"

    @property
    def kept(self) -> dict[str, Tensor]:
        """The weights that a checkpoint made now would hold."""
        return self.parts["kept"] or self.parts["model"]

    def to_bytes(self, run: dict) -> bytes:
        """Serialise together with `run`, which says what run this is the state of."""
        tensors = {f"{part}/{name}": value for part in PARTS for name, value in self.parts[part].items()}
        return checkpoints.to_bytes(tensors, {"state": True, "run": run, "history": list(self.history)})

    @classmethod
    def from_file(cls, file: CheckpointFile, run: dict) -> "State":
        """Read back; the state must be of the same run. Whether it is whole is seen when a run goes on from it.

        Raises
        ------
        AdvtoolError
            naming the first setting that differs
        """
        before, history = file.meta.get("run"), file.meta.get("history")
        if not (file.meta.get("state") and isinstance(before, dict) and isinstance(history, list)):
            raise AdvtoolError(f"{file.path}: not the state of a training run")
        check_same(before, run, file.path)
        parts: dict[str, dict[str, Tensor]] = {part: {} for part in PARTS}
        for name, value in file.tensors.items():
            part, _, name_there = name.partition("/")
            if part not in parts:
                raise AdvtoolError(f"{file.path}: not the state of a training run, with {name} in it")
            parts[part][name_there] = value
        return cls(parts, tuple(history), file.path)


def snapshot(model: Classifier) -> dict[str, Tensor]:
    """A copy of the weights that later steps do not change."""
    return {name: value.detach().clone() for name, value in model.net.state_dict().items()}


def optimizer_state(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """A copy of the moments, by parameter and name."""
    return {
        f"{index}/{name}": value.detach().clone()
        for index, entries in optimizer.state_dict()["state"].items()
        for name, value in entries.items()
        if isinstance(value, Tensor)
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, moments: dict[str, Tensor]) -> None:
    """Put the moments back."""
    entries: dict[int, dict[str, Tensor]] = {}
    for key, value in moments.items():
        index, name = key.split("/", 1)
        entries.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": entries, "param_groups": optimizer.state_dict()["param_groups"]})


class StateFile:
    """``OUT.state``, beside the output while a run is under way; does nothing if the output is no file.

    Parameters
    ----------
    run : what identifies the run; a state is taken up only by the same run
    """

    def __init__(self, out: Path | None, run: dict):
        self.path = self.beside(out) if out else None
        self._run = json.loads(json.dumps(run))
        if self.path:
            regular.check(self.path, "the state of the run")

    @staticmethod
    def beside(out: Path) -> Path:
        """Where the state of a run lies that writes to `out`."""
        return Path(f"{os.path.realpath(out)}.state")

    def exists(self) -> bool:
        """Whether a run left its state."""
        return self.path is not None and self.path.exists()

    def read(self) -> State | None:
        """The state, or None if there is none."""
        if not (self.path and self.path.exists()):
            return None
        return State.from_file(checkpoints.read(streams.open_path(self.path, regular=True)), self._run)

    def write(self, state: State) -> None:
        if self.path:
            with whole_file(self.path) as file:
                file.write(state.to_bytes(self._run))

    def remove(self) -> None:
        """Remove it, and what killed runs left of it."""
        if self.path:
            with suppress(FileNotFoundError):
                self.path.unlink()
            sweep(self.path.parent, stem(self.path.name))


def check_same(before: dict, now: dict, path: str, prefix: str = "") -> None:
    """Raise AdvtoolError, naming the first setting that differs, unless a run is the one that `path` came from."""
    for name in sorted(before.keys() | now.keys()):
        old, new = before.get(name), now.get(name)
        if isinstance(old, dict) and isinstance(new, dict):
            check_same(old, new, path, f"{prefix}{name}.")
        elif old != new:
            raise AdvtoolError(f"{path}: was made with {prefix}{name} {old}, not {new}; resume with the same options")
