"""What an earlier run left, and how far a run that goes on from it may differ: it may be longer, and nothing else."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from advtool.errors import AdvtoolError, UsageError
from advtool.io.checkpoints import CheckpointFile
from advtool.training.selection import is_over
from advtool.training.state import PARTS, State, longer

if TYPE_CHECKING:
    from advtool.training.run import TrainingRun

_COMPARED = ("training", "data", "curves", "seed", "device")


def take_over(run: "TrainingRun", file: CheckpointFile) -> dict | State:
    """What the checkpoint that a run left saves the same run, or a longer one, from doing.

    Returns
    -------
    The metrics of the checkpoint, if that is all that was to be done; `run` then has its history. Else the state after
    its last epoch, without the optimiser's moments, which no checkpoint holds.

    Raises
    ------
    AdvtoolError
        if the checkpoint is not of this run, or of one that was interrupted
    UsageError
        if it holds more epochs than are wanted now, or not the weights after the last one
    """
    history, metrics = file.meta.get("history") or [], file.meta.get("metrics")
    is_own = isinstance(history, list) and all(isinstance(record, dict) for record in history)
    if not (is_own and isinstance(metrics, dict)):
        raise AdvtoolError(f"{file.path}: no checkpoint of a training run; -f starts anew")
    before, now = _before(run, file), _now(run, history)
    extended = longer(before, now, file.path, len(history), moments=False)
    if before["training"]["epochs"] < run.config.epochs:
        _check_last(run, file, history)
        parts: dict = {part: {} for part in PARTS}
        return State({**parts, "model": file.tensors}, tuple(history), file.path, extended, moments=False)
    if not is_over(history, run.config.epochs):
        raise AdvtoolError(f"{file.path}: holds an interrupted run whose .state is gone; -f starts anew")
    run.history, run.extended, run.taken_over = history, extended, True
    return metrics


def _before(run: "TrainingRun", file: CheckpointFile) -> dict[str, Any]:
    """The run that a checkpoint is of, as it was resolved."""
    model = {name: file.meta.get(name) for name in run.model.spec.to_json()}
    before = {name: file.meta.get(name) for name in _COMPARED}
    if not isinstance(before["training"], dict) or type(before["training"].get("epochs")) is not int:
        raise AdvtoolError(f"{file.path}: no checkpoint of a training run; -f starts anew")
    return {"model": model, **before}


def _now(run: "TrainingRun", history: list[dict]) -> dict[str, Any]:
    resolved = json.loads(json.dumps(run.resolved()))
    resolved["training"]["epochs_done"] = len(history)
    return {name: resolved.get(name) for name in ("model", *_COMPARED)}


def _check_last(run: "TrainingRun", file: CheckpointFile, history: list[dict]) -> None:
    """Refuse to go on from weights that are not those after the last epoch."""
    selected: Mapping = file.meta.get("selected") or {}
    held = None
    if run.config.ema_decay:
        held = "the moving average of the weights"
    elif run.config.objective == "free":
        held = "no perturbations for free to go on from"
    elif not history or selected.get("epoch") != len(history):
        held = f"epoch {selected.get('epoch', 0)} of {len(history)}"
    if held:
        raise UsageError(f"{file.path} holds {held}, and there is no .state beside it to be extended from", "resume")
