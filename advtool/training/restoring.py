"""Whether the state of a training run can be one that the run itself wrote: each thing that is wrong has a name."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from advtool.errors import AdvtoolError
from advtool.training.config import TrainConfig
from advtool.training.selection import is_over

_RECORDED = {
    *("epoch", "loss", "clean_accuracy", "adversarial_accuracy", "pgd_accuracy", "collapsed"),
    *("validation", "accuracy"),
}
_MOMENTS = {"adam": {"step", "exp_avg", "exp_avg_sq"}, "sgd": {"momentum_buffer"}}


def check_history(history: Sequence[Any], config: TrainConfig, is_within: bool = False) -> None:
    """Raise AdvtoolError unless this is a record of each of the first epochs; of none if it `is_within` the first."""
    if not history and is_within:
        return
    if not history:
        raise AdvtoolError("its history is empty")
    if len(history) > config.epochs:
        raise AdvtoolError(f"its history has {len(history)} epochs, and the run {config.epochs}")
    for number, record in enumerate(history, 1):
        where = f"its record of epoch {number}"
        if not isinstance(record, dict) or type(record.get("epoch")) is not int or record["epoch"] != number:
            raise AdvtoolError(f"{where} is none")
        needed = {"loss"} | ({"validation"} if config.select == "best" else set())
        needed |= {"pgd_accuracy"} if config.objective == "fast" and config.attacks else set()
        for name in sorted((record.keys() - _RECORDED) | (needed - record.keys())):
            raise AdvtoolError(f"{where} {'has an unknown' if name in record else 'lacks'} {name}")
        if (record.keys() ^ history[0].keys()) - {"accuracy", "collapsed"}:
            raise AdvtoolError(f"{where} says other things than the first")
        for name, value in record.items():
            _check_numbers(value, name, f"{where}: {name}")
        if config.select == "best" and "clean_accuracy" not in record["validation"]:
            raise AdvtoolError(f"{where} lacks validation.clean_accuracy")
    if is_over(history[:-1], config.epochs):
        raise AdvtoolError("its history goes on after the end of the run")


def _check_numbers(value: Any, name: str, where: str) -> None:
    if name == "collapsed":
        if value is not True:
            raise AdvtoolError(f"{where} is not true")
    elif name in ("validation", "accuracy"):
        if not isinstance(value, dict) or not value:
            raise AdvtoolError(f"{where} is not a mapping")
        for inner, number in value.items():
            _check_numbers(number, f"{inner}_accuracy", f"{where}.{inner}")
    elif isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise AdvtoolError(f"{where} is not a finite number")
    elif name.endswith("_accuracy") and not 0 <= value <= 1:
        raise AdvtoolError(f"{where} is not between 0 and 1")


def check_tensors(found: Mapping[str, Tensor], expected: Mapping[str, Tensor], part: str, flexible: int = 0) -> None:
    """Raise AdvtoolError unless there are the tensors that are expected, of their shapes and types, and finite.

    Parameters
    ----------
    flexible : how many rows more a tensor may have
    """
    for name in sorted(found.keys() ^ expected.keys()):
        raise AdvtoolError(f"its {part} {'has an unknown' if name in found else 'lacks'} {name}")
    for name, value in found.items():
        _check_tensor(value, expected[name], f"its {part}: {name}", flexible)


def _check_tensor(found: Tensor, expected: Tensor, where: str, flexible: int = 0) -> None:
    fits = found.shape == expected.shape
    if flexible and found.dim() and found.shape[1:] == expected.shape[1:]:
        fits = 0 <= len(found) - len(expected) <= flexible
    if not fits:
        raise AdvtoolError(f"{where} has the shape {[*found.shape]}, not {[*expected.shape]}")
    if found.dtype != expected.dtype:
        raise AdvtoolError(f"{where} is {found.dtype}, not {expected.dtype}")
    if found.is_floating_point() and not found.isfinite().all():
        raise AdvtoolError(f"{where} is not finite")


def check_moments(
    moments: Mapping[str, Tensor], net: nn.Module, weights: Mapping[str, Tensor], config: TrainConfig, steps: int | None
) -> None:
    """Raise AdvtoolError unless these are the optimiser's, of every parameter that was trained.

    Parameters
    ----------
    net : as it was before the first epoch: a parameter that is still what it was there needs no moments
    weights : after the last epoch
    steps : of the optimiser, if that is known
    """
    names = _MOMENTS[config.optimizer] if config.optimizer != "sgd" or config.momentum else set()
    entries: dict[str, dict[str, Tensor]] = {}
    for key, value in moments.items():
        number, _, name = key.partition("/")
        entries.setdefault(number, {})[name] = value
    for index, (parameter_name, parameter) in enumerate(net.named_parameters()):
        entry = entries.pop(str(index), {})
        where = f"its optimizer: {index}"
        if not entry and _unchanged(parameter, weights[parameter_name]):
            continue
        for name in sorted(entry.keys() ^ names):
            raise AdvtoolError(f"its optimizer {'has an unknown' if name in entry else 'lacks'} {index}/{name}")
        for name, value in entry.items():
            if name == "step":
                _check_step(value, steps, f"{where}/{name}")
                continue
            _check_tensor(value, parameter, f"{where}/{name}")
            if name == "exp_avg_sq" and (value < 0).any():
                raise AdvtoolError(f"{where}/{name} is negative")
    if entries:
        raise AdvtoolError(f"its optimizer has an unknown parameter {min(entries)}")


def _check_step(value: Tensor, steps: int | None, where: str) -> None:
    if value.numel() != 1 or not value.is_floating_point() or not value.isfinite().all():
        raise AdvtoolError(f"{where} is not a number")
    done = value.item()
    if done != int(done) or done < 1 or (steps is not None and done > steps):
        raise AdvtoolError(f"{where} is {done:g}, {'which counts no steps' if steps is None else f'not {steps}'}")


def _unchanged(parameter: Tensor, weight: Tensor) -> bool:
    return torch.equal(parameter.detach().cpu(), weight.cpu())
