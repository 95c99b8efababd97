"""The state of a training run after an epoch: all that is needed to go on as if nothing had happened."""

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from advtool.errors import AdvtoolError, UsageError
from advtool.io import checkpoints, regular, streams
from advtool.io.atomic import whole_file
from advtool.io.checkpoints import CheckpointFile
from advtool.io.temporary import stem, sweep
from advtool.models.classifier import Classifier
from advtool.training.within import Within

PARTS = ("model", "optimizer", "objective", "average", "kept")
_WITHIN = "within"


@dataclass(frozen=True)
class State:
    """Everything that a run goes on from, and a record of each epoch that is done.

    Attributes
    ----------
    parts : a dict of tensors for each of `PARTS`: the weights, the optimiser's moments, what the objective carries
        from batch to batch, the weights' moving average, and the weights that are kept, if those are not the model's
    name : of the file that it was read from
    extended : what to record of a run that goes on from it for longer than it was planned, see `longer`
    moments : whether the optimiser's moments are among the parts; else they begin anew
    within : where in an epoch it was left; None after a whole one
    processes : how many there were
    """

    parts: dict[str, dict[str, Tensor]]
    history: tuple[dict, ...]
    name: str = "state"
    extended: tuple[dict, ...] = ()
    moments: bool = True
    within: Within | None = None
    processes: int = 1

    @property
    def kept(self) -> dict[str, Tensor]:
        """The weights that a checkpoint made now would hold."""
        return self.parts["kept"] or self.parts["model"]

    def to_bytes(self, run: dict) -> bytes:
        """Serialise together with `run`, which says what run this is the state of."""
        tensors = {f"{part}/{name}": value for part in PARTS for name, value in self.parts[part].items()}
        meta = {"state": True, "run": run, "history": list(self.history), "processes": self.processes}
        if self.within:
            tensors |= {f"{_WITHIN}/{name}": value for name, value in self.within.named().items()}
            meta[_WITHIN] = self.within.to_json()
        return checkpoints.to_bytes(tensors, meta)

    @classmethod
    def from_file(cls, file: CheckpointFile, run: dict) -> "State":
        """Read back; the state must be of the same run, or of a shorter one.

        Whether it is whole is seen when a run goes on from it.

        Raises
        ------
        AdvtoolError
            naming the first setting that differs
        UsageError
            if fewer epochs are wanted now
        """
        before, history = file.meta.get("run"), file.meta.get("history")
        if not (file.meta.get("state") and isinstance(before, dict) and isinstance(history, list)):
            raise AdvtoolError(f"{file.path}: not the state of a training run")
        left = file.meta.get(_WITHIN)
        extended = longer(before, run, file.path, len(history) + (left is not None))
        parts: dict[str, dict[str, Tensor]] = {part: {} for part in (*PARTS, _WITHIN)}
        for name, value in file.tensors.items():
            part, _, name_there = name.partition("/")
            if part not in parts:
                raise AdvtoolError(f"{file.path}: not the state of a training run, with {name} in it")
            parts[part][name_there] = value
        inner, processes = parts.pop(_WITHIN), file.meta.get("processes", 1)
        try:
            within = None if left is None else Within.of(left, inner)
        except AdvtoolError as error:
            raise AdvtoolError(f"{file.path}: not as this run left it: {error}; -f starts anew") from None
        return cls(parts, tuple(history), file.path, extended, within=within, processes=processes)


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
    run : what identifies the run; a state is taken up only by the same run, or a longer one
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
        state = State.from_file(checkpoints.read(streams.open_path(self.path, regular=True)), self._run)
        self.extend(state)
        return state

    def extend(self, state: State) -> None:
        """From now on the run is one that goes on from `state`."""
        if state.extended:
            self._run["training"]["extended"] = [*state.extended]

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


def longer(before: dict, now: dict, path: str, done: int, moments: bool = True) -> tuple[dict, ...]:
    """What to record of a run that goes on from what an earlier one left: how that was planned, where it shows.

    Nothing is recorded of a longer run that took the same steps until now, which one planned so long would have taken:
    the rate has been the same, and the optimiser keeps its moments.

    Parameters
    ----------
    before, now : the run as it was resolved and as it is
    path : of the file that says how it was
    done : epochs that are done
    moments : whether the optimiser's are there

    Returns
    -------
    A record of each time that the run was extended: ``after`` so many epochs, planned for ``epochs``, with the
    ``lr_drops`` of that plan, and whether the optimiser kept its ``moments``.

    Raises
    ------
    AdvtoolError
        naming the first setting that differs
    UsageError
        if fewer epochs are wanted now
    """
    was, wanted = before.get("training"), now.get("training")
    if not isinstance(was, dict) or not isinstance(wanted, dict):
        check_same(before, now, path)
        return ()
    extended = _extensions(was.get("extended", []), path)
    was = {name: value for name, value in was.items() if name != "extended"}
    plan = {name: was.get(name) for name in ("epochs", "lr_drops")}
    differs = type(plan["epochs"]) is int and plan["epochs"] != wanted["epochs"]
    check_same({**before, "training": was}, {**now, "training": {**wanted, **(plan if differs else {})}}, path)
    if not differs:
        return extended
    if wanted["epochs"] < was["epochs"]:
        raise UsageError(f"fewer than the {was['epochs']} of the run in {path}", "epochs", wanted["epochs"])
    early = [[drop for drop in run["lr_drops"] or () if drop < done] for run in (was, wanted)]
    if moments and (wanted["schedule"] == "constant" or (wanted["schedule"] == "step" and early[0] == early[1])):
        return extended
    return (*extended, {"after": done, **plan, "moments": moments})


def _extensions(recorded: object, path: str) -> tuple[dict, ...]:
    """What a file says of earlier extensions, which is a list of what `longer` makes."""
    entries = recorded if isinstance(recorded, list) else [None]
    if not all(isinstance(entry, dict) and type(entry.get("after")) is int for entry in entries):
        raise AdvtoolError(f"{path}: training.extended is no list of extensions; -f starts anew")
    return tuple(entries)
